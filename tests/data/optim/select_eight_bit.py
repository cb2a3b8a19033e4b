"""Writes quantize.safetensors and optim8.safetensors: a selection of the 8-bit reference values.

    python select_eight_bit.py REFERENCE_FOLDER

Kept here: both maps, the inputs, what the nearest code gives, and the 20-step traces with nearest codes;
of bitsandbytes' own CPU kernels (names with `cpu.`) the parameters of the traces and the codes of the
inputs called normal and log_uniform. Standard library only.
"""

import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def select(name, keep):
    with open(os.path.join(sys.argv[1], name), "rb") as source:
        size = struct.unpack("<Q", source.read(8))[0]
        header = json.loads(source.read(size))
        data = source.read()
    selected = {"__metadata__": header.pop("__metadata__")}
    body = b""
    for tensor in sorted(filter(keep, header), key=lambda t: header[t]["data_offsets"][0]):
        begin, end = header[tensor]["data_offsets"]
        selected[tensor] = dict(header[tensor], data_offsets=[len(body), len(body) + end - begin])
        body += data[begin:end]
    text = json.dumps(selected).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(HERE, name), "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + body)


select("quantize.safetensors", lambda t: t.startswith(("map.", "nearest.", "cpu.normal.", "cpu.log_uniform."))
       or t.endswith(".input"))
select("optim8.safetensors", lambda t: t.startswith(("param0", "grad", "nearest.", "nesterov."))
       or t.startswith("cpu.") and t.endswith(".param"))
