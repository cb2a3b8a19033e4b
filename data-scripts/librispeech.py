#!/usr/bin/env python3
"""Makes a corpus of LibriSpeech, where it lies: read English, FLAC, 16 kHz.

    data-scripts/librispeech.py LIBRISPEECH OUT [--train train-clean-100] [--val dev-clean] [--test test-clean]

Download from https://www.openslr.org/12 (CC BY 4.0) and unpack side by side, which gives the folder
LibriSpeech/: train-clean-100.tar.gz (6.3 GB, 251 speakers), dev-clean.tar.gz (337 MB, 40 speakers),
test-clean.tar.gz (346 MB, 40 speakers). Every file's header is read and checked, and the numbers of
speakers and utterances are held against the published ones. OUT gets wav.scp, utt2spk, the
speakers of train, val and test, and trial lists by the rule of kaldi_files.ranked_trials (two recordings of
different chapters, or of different speakers); no sound is copied.
"""

import argparse
import os
import re

import kaldi_files
from kaldi_files import BadCorpus

SOURCE = "https://www.openslr.org/12"
PUBLISHED = {  # part: speakers, utterances
    "train-clean-100": (251, 28539),
    "train-clean-360": (921, 104014),
    "train-other-500": (1166, 148688),
    "dev-clean": (40, 2703),
    "dev-other": (33, 2864),
    "test-clean": (40, 2620),
    "test-other": (33, 2939),
}
NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.flac$")


def read_part(root, part):
    """Dictionary from utterance to (path, speaker, None) of PART/SPEAKER/CHAPTER/*.flac."""
    folder = os.path.join(root, part)
    if not os.path.isdir(folder):
        raise BadCorpus(
            "%s: no such folder; download %s.tar.gz from %s and unpack it there"
            % (folder, part, SOURCE)
        )
    utterances = {}
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if not name.endswith(".flac"):
                continue
            path = os.path.join(place, name)
            match = NAME.match(name)
            expected = os.path.join(folder, *match.groups()[:2]) if match else None
            if expected != place:
                raise BadCorpus(
                    "%s: not at SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac; unpack %s.tar.gz again"
                    % (path, part)
                )
            if kaldi_files.check_flac(path) < 400:
                raise BadCorpus("%s: shorter than a frame of 25 ms; unpack it again" % path)
            utterances[name[: -len(".flac")]] = (path, match.group(1), None)
    return utterances


def check_counts(root, part, utterances, accept_parts):
    speakers = {speaker for _, speaker, _ in utterances.values()}
    print("%s: %d speakers, %d utterances" % (part, len(speakers), len(utterances)))
    wanted = PUBLISHED.get(part)
    if wanted and wanted != (len(speakers), len(utterances)) and not accept_parts:
        raise BadCorpus(
            "%s: %d speakers and %d utterances, published are %d and %d; unpack %s.tar.gz again, or"
            " give --partial if this is meant"
            % ((os.path.join(root, part), len(speakers), len(utterances)) + wanted + (part,))
        )
    return speakers


def trials(speakers, utterances):
    """By the rule; same-speaker pairs are of different chapters, recorded apart."""
    return kaldi_files.ranked_trials(
        (utterances[a][1] == utterances[b][1], a, b)
        for a, b in kaldi_files.pairs(speakers, utterances)
        if a.split("-")[:2] != b.split("-")[:2]
    )


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("librispeech", help="the unpacked folder LibriSpeech/")
    parser.add_argument("out", help="folder for wav.scp, utt2spk, trials and so on")
    parser.add_argument("--train", default="train-clean-100", help="part to train with")
    parser.add_argument("--val", default="dev-clean", help="part for validation")
    parser.add_argument("--test", default="test-clean", help="part to test with")
    parser.add_argument("--partial", action="store_true", help="accept incomplete parts")
    options = parser.parse_args(arguments)

    everything, owner = {}, {}
    lists = {}
    for split in ("train", "val", "test"):
        part = getattr(options, split)
        utterances = read_part(options.librispeech, part)
        if not utterances:
            raise BadCorpus(
                "%s: no .flac files; download %s.tar.gz from %s again"
                % (os.path.join(options.librispeech, part), part, SOURCE)
            )
        speakers = check_counts(options.librispeech, part, utterances, options.partial)
        for speaker in sorted(speakers):
            if speaker in owner:
                raise BadCorpus(
                    "speaker %s is in %s and in %s; choose parts with speakers of their own"
                    % (speaker, owner[speaker], part)
                )
            owner[speaker] = part
        everything.update(utterances)
        lists[split + ".speakers"] = sorted(speakers)
        if split != "train":
            name = os.path.join("trials", split + "-text-independent.txt")
            lists[name] = trials(speakers, utterances)
            print("%s: %d trials" % (name, len(lists[name])))
    kaldi_files.write_corpus(options.out, everything)
    for name, lines in lists.items():
        kaldi_files.write_lines(os.path.join(options.out, name), lines)
    print("%s: %d utterances of %d speakers" % (options.out, len(everything), len(owner)))


if __name__ == "__main__":
    kaldi_files.run(main)
