"""Writes fbank.safetensors: a selection of the reference filterbanks.

    python select_reference.py REFERENCE_FOLDER/fbank.safetensors

The reference holds float32 results of torchaudio 2.11.0 and float64 results of the formula (names with
`f64.`); see its README for how it was made. Kept here: six signals, both settings. Standard library only.
"""

import json
import os
import struct
import sys

SIGNALS = ["tones_1040", "chirp", "noise", "silence", "one_frame", "wav0"]
KEEP = ["samples", "wespeaker.fbank", "wespeaker.fbank_cmn", "povey.fbank"]

with open(sys.argv[1], "rb") as source:
    size = struct.unpack("<Q", source.read(8))[0]
    header = json.loads(source.read(size))
    data = source.read()

names = [f"{signal}.{kind}" for signal in SIGNALS for kind in KEEP]
names += [f"f64.{signal}.{kind}.fbank" for signal in SIGNALS for kind in ("wespeaker", "povey")]
selected = {"__metadata__": header["__metadata__"]}
body = b""
for name in names:
    begin, end = header[name]["data_offsets"]
    selected[name] = dict(header[name], data_offsets=[len(body), len(body) + end - begin])
    body += data[begin:end]
text = json.dumps(selected).encode()
text += b" " * (-len(text) % 8)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fbank.safetensors"), "wb") as out:
    out.write(struct.pack("<Q", len(text)) + text + body)
