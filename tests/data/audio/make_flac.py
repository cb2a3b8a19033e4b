"""Writes the FLAC test files from the signal wav0 of fbank.safetensors (run select_reference.py first).

    pip install numpy==2.4.6 soundfile==0.14.0 && python make_flac.py

word.flac: 16 bit, mono, 16 kHz, 16,000 samples. tail24.flac: its last 2,000 samples in 24 bit, each
plus a small offset that needs the lower eight bits. stereo.flac: 500 samples in two channels.
"""

import json
import os
import struct

import numpy
import soundfile

folder = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(folder, "fbank.safetensors"), "rb") as source:
    size = struct.unpack("<Q", source.read(8))[0]
    begin, end = json.loads(source.read(size))["wav0.samples"]["data_offsets"]
    samples = numpy.frombuffer(source.read()[begin:end], "<f4")

pcm = (samples * 32768).astype(numpy.int16)
soundfile.write(os.path.join(folder, "word.flac"), pcm, 16000, subtype="PCM_16")
# soundfile takes 24-bit samples in the upper bits of int32
fine = (pcm[-2000:].astype(numpy.int32) * 256 + numpy.arange(2000) % 256) * 256
soundfile.write(os.path.join(folder, "tail24.flac"), fine.astype(numpy.int32), 16000, subtype="PCM_24")
soundfile.write(os.path.join(folder, "stereo.flac"), numpy.stack([pcm[8000:8500]] * 2, 1), 16000, subtype="PCM_16")
