#!/usr/bin/env python3
"""Lists the noises, speech and music of MUSAN for data.surroundings.noises.

    data-scripts/musan.py MUSAN OUT/noise.scp

Nothing is downloaded. What to get: https://www.openslr.org/17/ (musan.tar.gz, 11 GB), unpacked to
MUSAN, with the folders noise (930 files), speech (426) and music (660) of WAV files in folders of
their sources. Every file is read until its first sound: it must be one channel of 16 bits at 16 kHz.
A line is KIND/SOURCE/NAME PATH; the kind tells the level at which a file is added.
"""

import kaldi_files

PUBLISHED = {"noise": 930, "speech": 426, "music": 660}

if __name__ == "__main__":
    kaldi_files.run(
        lambda arguments: kaldi_files.list_sounds(
            arguments, __doc__, "MUSAN", "https://www.openslr.org/17/", PUBLISHED
        )
    )
