#!/usr/bin/env python3
"""Makes a corpus of all recordings of the Arabic Speech Commands dataset, where they lie.

    data-scripts/arabic-speech-commands-full.py SOURCE OUT

SOURCE is the dataset's folder (dataset/WORD/SPEAKER_NO_ROUND.wav, train.csv, val.csv, test.csv)
from https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset (CC BY 4.0, 384 MB: 30
speakers x 40 words x 10 rounds). A selection of whole words is accepted, and said. Every recording
is read once and checked. OUT gets wav.scp, utt2spk, utt2word, joined2utt, the speakers of train, val
and test, and trial lists by the rules of arabic-speech-commands/README.md; no sound is copied.
"""

import argparse

import arabic_commands
import kaldi_files
from kaldi_files import BadCorpus


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source", help="folder of the dataset, with dataset/ and train.csv in it")
    parser.add_argument("out", help="folder for wav.scp, utt2spk, trials and so on")
    options = parser.parse_args(arguments)

    recordings = arabic_commands.find(options.source)
    splits = arabic_commands.splits(options.source)
    speakers = set().union(*splits.values())
    words = sorted({word for word, _, _ in recordings})
    if not words:
        raise BadCorpus(
            "%s/dataset: no word folders; download it from %s"
            % (options.source, arabic_commands.SOURCE)
        )
    strangers = {speaker for _, speaker, _ in recordings} - speakers
    if strangers:
        raise BadCorpus(
            "%s: speaker %s is in none of train.csv, val.csv, test.csv; download them again from %s"
            % (options.source, min(strangers), arabic_commands.SOURCE)
        )
    rounds = range(1, arabic_commands.ROUNDS + 1)
    chosen = arabic_commands.choose(recordings, words, rounds, speakers)
    utterances = {
        arabic_commands.utterance(word, speaker, turn): (path, speaker, word)
        for (word, speaker, turn), path in chosen.items()
    }
    if len(words) != arabic_commands.WORDS or len(speakers) != arabic_commands.SPEAKERS:
        print(
            "note: %d words and %d speakers; the whole dataset has %d words and %d speakers"
            % (len(words), len(speakers), arabic_commands.WORDS, arabic_commands.SPEAKERS)
        )
    kaldi_files.write_corpus(options.out, utterances)
    kaldi_files.write_splits(options.out, splits, utterances, kaldi_files.join(utterances))
    print("%s: %d recordings of %d speakers" % (options.out, len(utterances), len(speakers)))


if __name__ == "__main__":
    kaldi_files.run(main)
