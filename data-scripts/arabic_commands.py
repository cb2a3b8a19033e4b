"""Finds the recordings of the Arabic Speech Commands dataset; used by the two scripts for it."""

import csv
import os
import re

from kaldi_files import BadCorpus, check_wav

SOURCE = "https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset"
SPEAKERS = 30
ROUNDS = 10
WORDS = 40  # in the whole dataset
SHIPPED_WORDS = (
    "close eight five four nine no one open seven six start stop three two yes zero".split()
)
NAME = re.compile(r"(\d{8})_NO_(\d\d)\.wav$")


def find(source):
    """Dictionary from (word, speaker, round) to WAV path, of every word folder below dataset/."""
    dataset = os.path.join(source, "dataset")
    if not os.path.isdir(dataset):
        raise BadCorpus(
            "%s: no folder dataset/ in it; download %s and name its folder" % (source, SOURCE)
        )
    recordings = {}
    for word in sorted(os.listdir(dataset)):
        folder = os.path.join(dataset, word)
        if not os.path.isdir(folder) or word == "background_noise":
            continue
        for name in sorted(os.listdir(folder)):
            match = NAME.match(name)
            if not match:
                raise BadCorpus(
                    "%s: unexpected name; files are called SPEAKER_NO_ROUND.wav, for example"
                    " 00000021_NO_06.wav" % os.path.join(folder, name)
                )
            recordings[word, match.group(1), int(match.group(2))] = os.path.join(folder, name)
    return recordings


def splits(source):
    """Speakers of train, val and test by the dataset's own CSV files; they must be disjoint."""
    found = {}
    for name in ("train", "val", "test"):
        path = os.path.join(source, name + ".csv")
        if not os.path.isfile(path):
            raise BadCorpus("%s: missing; it is part of %s" % (path, SOURCE))
        speakers = set()
        with open(path, newline="", encoding="utf-8") as table:
            for number, row in enumerate(csv.reader(table), 1):
                match = NAME.search(row[0]) if row else None
                if match:
                    speakers.add(match.group(1))
                elif number > 1:
                    raise BadCorpus("%s: line %d names no recording" % (path, number))
        for other, theirs in found.items():
            if speakers & theirs:
                raise BadCorpus(
                    "%s: speaker %s is in %s.csv too; splits must have speakers of their own"
                    % (path, min(speakers & theirs), other)
                )
        found[name] = speakers
    return found


def choose(recordings, words, rounds, speakers):
    """The recordings of words x rounds x speakers; a missing one is named. All must be 1 s WAVs."""
    chosen = {}
    for word in words:
        for speaker in sorted(speakers):
            for turn in rounds:
                path = recordings.get((word, speaker, turn))
                if path is None:
                    raise BadCorpus(
                        "dataset/%s/%s_NO_%02d.wav: missing; download the dataset again from %s"
                        % (word, speaker, turn, SOURCE)
                    )
                check_wav(path)
                chosen[word, speaker, turn] = path
    return chosen


def utterance(word, speaker, turn):
    """Utterance id; it starts with the speaker, as Kaldi's sorting wants."""
    return "%s-%s-%02d" % (speaker, word, turn)
