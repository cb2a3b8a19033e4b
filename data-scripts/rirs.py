#!/usr/bin/env python3
"""Lists the impulse responses of simulated rooms of RIRS_NOISES for data.surroundings.rooms.

    data-scripts/rirs.py RIRS_NOISES OUT/rirs.scp

Nothing is downloaded. What to get: https://www.openslr.org/28/ (rirs_noises.zip, 1.3 GB), unpacked to
RIRS_NOISES. The folder simulated_rirs has 60,000 responses, 20,000 each in smallroom, mediumroom and
largeroom; WeSpeaker uses these. Every file is read until its first sound: it must be one channel of
16 bits at 16 kHz. A line is simulated_rirs/SIZE/ROOM/NAME PATH.
"""

import kaldi_files

PUBLISHED = {
    "simulated_rirs/smallroom": 20000,
    "simulated_rirs/mediumroom": 20000,
    "simulated_rirs/largeroom": 20000,
}

if __name__ == "__main__":
    kaldi_files.run(
        lambda arguments: kaldi_files.list_sounds(
            arguments, __doc__, "RIRS_NOISES", "https://www.openslr.org/28/", PUBLISHED
        )
    )
