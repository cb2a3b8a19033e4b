#!/usr/bin/env python3
"""Rebuilds data-scripts/arabic-speech-commands, the corpus that ships with SlimVox.

    data-scripts/arabic-speech-commands.py SOURCE [OUT]

SOURCE is the dataset's folder (dataset/WORD/SPEAKER_NO_ROUND.wav, train.csv, val.csv, test.csv)
from https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset (CC BY 4.0). OUT is this
folder's arabic-speech-commands/ unless given. Needs the `flac` tool (Debian, Homebrew: package
flac); recordings already in OUT with the right samples are kept, so that a second run needs none.

Chosen are 30 speakers x 16 words x rounds 1, 5 and 9: what fits into 25 MB. Every FLAC file is
checked against its WAV file by the MD5 of the samples.
"""

import argparse
import os
import shutil
import subprocess

import arabic_commands
import kaldi_files
from kaldi_files import BadCorpus

ROUNDS = (1, 5, 9)
FLAC = ["flac", "-8", "--silent", "--force", "--no-padding", "--no-seektable"]


def encode(wav, flac):
    """Writes flac from wav unless it holds the same samples already."""
    wanted = kaldi_files.wav_md5(wav)
    if os.path.isfile(flac) and kaldi_files.flac_md5(flac) == wanted:
        return
    if shutil.which("flac") is None:
        raise BadCorpus("the tool flac is missing; install the package flac (apt, brew, conda)")
    os.makedirs(os.path.dirname(flac), exist_ok=True)
    subprocess.run(FLAC + ["-o", flac + ".tmp", wav], check=True)
    if kaldi_files.flac_md5(flac + ".tmp") != wanted:
        raise BadCorpus("%s: other samples than %s; the flac tool failed" % (flac, wav))
    os.replace(flac + ".tmp", flac)


def main(arguments):
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source", help="folder of the dataset, with dataset/ and train.csv in it")
    parser.add_argument("out", nargs="?", default=os.path.join(here, "arabic-speech-commands"))
    options = parser.parse_args(arguments)

    recordings = arabic_commands.find(options.source)
    splits = arabic_commands.splits(options.source)
    speakers = set().union(*splits.values())
    if len(speakers) != arabic_commands.SPEAKERS:
        raise BadCorpus(
            "%s: the CSV files name %d speakers, not %d; download it again from %s"
            % (options.source, len(speakers), arabic_commands.SPEAKERS, arabic_commands.SOURCE)
        )
    chosen = arabic_commands.choose(
        recordings, arabic_commands.SHIPPED_WORDS, ROUNDS, speakers
    )
    utterances = {}
    for (word, speaker, turn), wav in sorted(chosen.items()):
        flac = os.path.join(options.out, "flac", speaker, "%s-%02d.flac" % (word, turn))
        encode(wav, flac)
        utterances[arabic_commands.utterance(word, speaker, turn)] = (flac, speaker, word)
    kaldi_files.write_corpus(options.out, utterances)
    kaldi_files.write_splits(options.out, splits, utterances, kaldi_files.join(utterances))
    size = sum(os.path.getsize(path) for path, _, _ in utterances.values())
    print("%s: %d recordings, %d bytes of FLAC" % (options.out, len(utterances), size))


if __name__ == "__main__":
    kaldi_files.run(main)
