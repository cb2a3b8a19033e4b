#!/usr/bin/env python3
"""Makes a corpus of VoxCeleb1 and VoxCeleb2, where they lie, with the official trial lists.

    data-scripts/voxceleb.py VOXCELEB1 OUT [--voxceleb2 VOXCELEB2] [--lists LISTS]

Nothing is downloaded. What to get, from https://www.robots.ox.ac.uk/~vgg/data/voxceleb/ (access on
request; a mirror there or at https://mm.kaist.ac.kr/datasets/voxceleb/):

  VOXCELEB1  the WAV files of dev and test: wav/idNNNNN/VIDEO/NNNNN.wav (1,251 speakers, 153,516 files:
             dev 1,211 and 148,642, test 40 and 4,874). wav/ may also lie in dev/ and test/.
  VOXCELEB2  the dev part, converted from AAC (dev/aac/idNNNNN/VIDEO/NNNNN.m4a) to WAV or FLAC, 16 kHz,
             one channel, for example by: ffmpeg -i IN.m4a -ac 1 -ar 16000 OUT.wav, with the same folders
             below dev/wav/ (5,994 speakers, 1,092,009 files).
  LISTS      veri_test2.txt (Vox1-O), list_test_all2.txt (Vox1-E), list_test_hard2.txt (Vox1-H), the
             cleaned lists, from https://mm.kaist.ac.kr/datasets/voxceleb/meta/

Training speakers are those of VoxCeleb2 dev if given, else those of VoxCeleb1 dev; Vox1-E and Vox1-H
need VoxCeleb2, since their speakers are those of VoxCeleb1 dev. The header of every file is read
(--quick: of the first file of each speaker). Utterances are called SPEAKER-VIDEO-NUMBER.
"""

import argparse
import os
import re

import kaldi_files
from kaldi_files import BadCorpus

SOURCE = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/"
LISTS = "https://mm.kaist.ac.kr/datasets/voxceleb/meta/"
PUBLISHED = {"VoxCeleb1": (1251, 153516), "VoxCeleb2 dev": (5994, 1092009)}
OFFICIAL = {  # our name: file, trials
    "vox1-o": ("veri_test2.txt", 37611),
    "vox1-e": ("list_test_all2.txt", 579818),
    "vox1-h": ("list_test_hard2.txt", 550894),
}
SPEAKER = re.compile(r"id\d{5}$")
TEST_SPEAKERS = {"id%05d" % number for number in range(10270, 10310)}  # VoxCeleb1 test: names in E


def sound_roots(root):
    """The folders that hold speaker folders."""
    found = []
    for place in ("", "wav", "dev", "test", "dev/wav", "test/wav", "dev/flac", "flac"):
        folder = os.path.join(root, place)
        if os.path.isdir(folder) and any(SPEAKER.match(name) for name in os.listdir(folder)):
            found.append(folder)
    return found


def read(root, corpus, quick):
    """Dictionary from utterance to (path, speaker, None)."""
    if not os.path.isdir(root):
        raise BadCorpus("%s: no such folder; get %s from %s" % (root, corpus, SOURCE))
    roots = sound_roots(root)
    if not roots:
        raise BadCorpus(
            "%s: no folders idNNNNN in it, in wav/, dev/wav/ or test/wav/; get %s from %s"
            % (root, corpus, SOURCE)
        )
    utterances = {}
    for folder in roots:
        for speaker in sorted(name for name in os.listdir(folder) if SPEAKER.match(name)):
            checked = False
            for video in sorted(os.listdir(os.path.join(folder, speaker))):
                place = os.path.join(folder, speaker, video)
                if not os.path.isdir(place):
                    raise BadCorpus("%s: not a folder of a video; unpack %s again" % (place, corpus))
                for name in sorted(os.listdir(place)):
                    path = os.path.join(place, name)
                    stem, ending = os.path.splitext(name)
                    if ending == ".m4a":
                        raise BadCorpus(
                            "%s: AAC is not read; convert all: ffmpeg -i IN.m4a -ac 1 -ar 16000 OUT.wav"
                            % path
                        )
                    if ending not in (".wav", ".flac"):
                        continue
                    if not (quick and checked):
                        check = kaldi_files.check_wav if ending == ".wav" else kaldi_files.check_flac
                        check(path)
                        checked = True
                    utterance = "%s-%s-%s" % (speaker, video, stem)
                    if utterance in utterances:
                        raise BadCorpus(
                            "%s: the same recording as %s; keep one of them"
                            % (path, utterances[utterance][0])
                        )
                    utterances[utterance] = (path, speaker, None)
    return utterances


def check_counts(root, corpus, utterances, accept_parts):
    found = (len({speaker for _, speaker, _ in utterances.values()}), len(utterances))
    print("%s: %d speakers, %d utterances" % ((corpus,) + found))
    if found != PUBLISHED[corpus] and not accept_parts:
        raise BadCorpus(
            "%s: %d speakers and %d utterances, %s has %d and %d; get what is missing, or give"
            " --partial if this is meant" % ((root,) + found + (corpus,) + PUBLISHED[corpus])
        )


def official_list(path, wanted, utterances, accept_parts):
    """The list with our utterance ids; every utterance must be there."""
    lines = []
    with open(path, encoding="utf-8") as trials:
        for number, line in enumerate(trials, 1):
            fields = line.split()
            if len(fields) != 3 or fields[0] not in ("0", "1"):
                raise BadCorpus(
                    "%s, line %d: not '1 FILE FILE' or '0 FILE FILE'; get it again from %s"
                    % (path, number, LISTS)
                )
            ids = [os.path.splitext(name)[0].replace("/", "-") for name in fields[1:]]
            unknown = [name for name, u in zip(fields[1:], ids) if u not in utterances]
            if unknown and accept_parts:
                continue
            if unknown:
                raise BadCorpus(
                    "%s, line %d: no recording %s; get what is missing of VoxCeleb1"
                    % (path, number, unknown[0])
                )
            lines.append(" ".join([fields[0]] + ids))
    if len(lines) != wanted and not accept_parts:
        raise BadCorpus(
            "%s: %d trials, the cleaned list has %d; get it again from %s"
            % (path, len(lines), wanted, LISTS)
        )
    return lines


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("voxceleb1", help="folder of VoxCeleb1")
    parser.add_argument("out", help="folder for wav.scp, utt2spk, trials and so on")
    parser.add_argument("--voxceleb2", help="folder of VoxCeleb2 dev, as WAV or FLAC")
    parser.add_argument("--lists", help="folder of the trial lists; VOXCELEB1 unless given")
    parser.add_argument("--quick", action="store_true", help="check one file of each speaker")
    parser.add_argument("--partial", action="store_true", help="accept an incomplete corpus")
    options = parser.parse_args(arguments)

    utterances = read(options.voxceleb1, "VoxCeleb1", options.quick)
    check_counts(options.voxceleb1, "VoxCeleb1", utterances, options.partial)
    ones = {speaker for _, speaker, _ in utterances.values()}
    training = ones - TEST_SPEAKERS
    evaluation = {"vox1-o"}
    everything = dict(utterances)
    if options.voxceleb2:
        more = read(options.voxceleb2, "VoxCeleb2 dev", options.quick)
        check_counts(options.voxceleb2, "VoxCeleb2 dev", more, options.partial)
        training = {speaker for _, speaker, _ in more.values()}
        if training & ones:
            raise BadCorpus(
                "%s: speaker %s is in VoxCeleb1 too; is this VoxCeleb2's dev part?"
                % (options.voxceleb2, min(training & ones))
            )
        everything.update(more)
        evaluation = set(OFFICIAL)

    lists = {"train.speakers": sorted(training), "test.speakers": sorted(ones - training)}
    for name in sorted(evaluation):
        file, wanted = OFFICIAL[name]
        path = os.path.join(options.lists or options.voxceleb1, file)
        if not os.path.isfile(path):
            raise BadCorpus("%s: missing; get it from %s" % (path, LISTS))
        lines = official_list(path, wanted, utterances, options.partial)
        lists[os.path.join("trials", name + ".txt")] = lines
        print("trials/%s.txt: %d trials" % (name, len(lines)))
    kaldi_files.write_corpus(options.out, everything)
    for name, lines in lists.items():
        kaldi_files.write_lines(os.path.join(options.out, name), lines)
    print("%s: %d utterances" % (options.out, len(everything)))


if __name__ == "__main__":
    kaldi_files.run(main)
