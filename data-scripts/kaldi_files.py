"""What the corpus scripts share: Kaldi text files, trial lists, error lines.

Only the standard library of Python 3.8 or later is used. Every list is made by rule, without a
random generator, so that the same recordings give the same files everywhere; the class
slimvox.data.TrialRule of the library ranks pairs as ranked_trials does.
"""

import argparse
import hashlib
import itertools
import os
import struct
import sys
import wave

MOST_TRIALS = 5000  # of each kind (same speaker, different speakers) in one list


class BadCorpus(Exception):
    """The corpus folder is not what it should be; the message is one line for the user."""


def run(main):
    """Calls main(arguments); a BadCorpus or a missing tool becomes one line and exit status 2."""
    try:
        main(sys.argv[1:])
    except BadCorpus as problem:
        print("%s: %s" % (os.path.basename(sys.argv[0]), problem), file=sys.stderr)
        sys.exit(2)
    except OSError as problem:
        where = " %s" % problem.filename if problem.filename else ""
        print("%s:%s: %s" % (os.path.basename(sys.argv[0]), where, problem.strerror), file=sys.stderr)
        sys.exit(2)


def write_lines(path, lines):
    """Writes the lines to a temporary file beside path, syncs it and renames it to path."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = path + ".tmp"
    with open(temporary, "w", encoding="utf-8", newline="\n") as out:
        for line in lines:
            out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)


def write_corpus(folder, utterances):
    """Writes wav.scp, utt2spk and, where there are words, utt2word.

    utterances: dictionary from utterance to (path, speaker, word or None). A path below folder is
    written relative to it, so that the folder can be moved.
    """
    ids = sorted(utterances)
    root = os.path.abspath(folder) + os.sep

    def place(path):
        full = os.path.abspath(path)
        return full[len(root) :].replace(os.sep, "/") if full.startswith(root) else full

    write_lines(os.path.join(folder, "wav.scp"), ["%s %s" % (u, place(utterances[u][0])) for u in ids])
    write_lines(os.path.join(folder, "utt2spk"), ["%s %s" % (u, utterances[u][1]) for u in ids])
    if all(utterances[u][2] for u in ids):
        write_lines(os.path.join(folder, "utt2word"), ["%s %s" % (u, utterances[u][2]) for u in ids])


def digest(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def ranked_trials(candidates):
    """Lines "1 a b" (same speaker) and "0 a b" of candidate pairs (same, a, b) with a < b.

    Pairs are ranked by the hexadecimal SHA-256 of the text "a b". The first MOST_TRIALS of each
    kind are kept, and all that are kept are written in the order of that hash.
    """
    kinds = {True: [], False: []}
    for same, a, b in candidates:
        kinds[same].append((digest("%s %s" % (a, b)), "%d %s %s" % (same, a, b)))
    kept = sorted(kinds[True])[:MOST_TRIALS] + sorted(kinds[False])[:MOST_TRIALS]
    return [line for _, line in sorted(kept)]


def pairs(speakers, utterances):
    """Every pair (a, b), a < b, of the utterances whose speaker is in speakers."""
    chosen = sorted(u for u in utterances if utterances[u][1] in speakers)
    return itertools.combinations(chosen, 2)


def check_wav(path, rate=16000):
    """Number of samples of a one-channel 16-bit PCM WAV file; BadCorpus where it is anything else."""
    try:
        with wave.open(path, "rb") as sound:
            if sound.getnchannels() != 1 or sound.getsampwidth() != 2:
                raise BadCorpus(
                    "%s: %d channels of %d bits; one channel of 16 bits is needed"
                    % (path, sound.getnchannels(), 8 * sound.getsampwidth())
                )
            if sound.getframerate() != rate:
                raise BadCorpus("%s: %d Hz; %d Hz is needed" % (path, sound.getframerate(), rate))
            samples = sound.getnframes()
    except (wave.Error, EOFError, struct.error):
        raise BadCorpus("%s: not a 16-bit PCM WAV file; copy or download it again" % path) from None
    if os.path.getsize(path) < 44 + 2 * samples:
        raise BadCorpus("%s: cut short; copy or download it again" % path)
    return samples


def check_flac(path, rate=16000):
    """Number of samples of a one-channel FLAC file by its STREAMINFO block; BadCorpus otherwise."""
    with open(path, "rb") as sound:
        head = sound.read(42)
    if len(head) < 42 or head[:4] != b"fLaC" or head[4] & 0x7F != 0:
        raise BadCorpus("%s: not a FLAC file; copy or download it again" % path)
    packed = int.from_bytes(head[18:26], "big")
    found_rate, channels, samples = packed >> 44, (packed >> 41 & 7) + 1, packed & (1 << 36) - 1
    if channels != 1 or found_rate != rate:
        raise BadCorpus(
            "%s: %d channels at %d Hz; one channel at %d Hz is needed"
            % (path, channels, found_rate, rate)
        )
    return samples


def requires_sound(path):
    """BadCorpus where a file that check_wav accepts is silent."""
    with wave.open(path, "rb") as sound:
        while True:
            block = sound.readframes(16000)
            if not block:
                raise BadCorpus("%s: silent; copy or download it again" % path)
            if any(block):
                return


def list_sounds(arguments, description, corpus, source, published):
    """Writes a list of the WAV files in some folders, named by their paths without the ending.

    published: dictionary from folder to its number of files
    """
    parser = argparse.ArgumentParser(description=description.split("\n\n")[0])
    parser.add_argument("folder", help="folder of " + corpus)
    parser.add_argument("out", help="the list to write")
    parser.add_argument("--partial", action="store_true", help="accept an incomplete corpus")
    options = parser.parse_args(arguments)
    lines = []
    for below, wanted in published.items():
        root = os.path.join(options.folder, below)
        if not os.path.isdir(root):
            if options.partial:
                continue
            raise BadCorpus("%s: no such folder; get %s from %s" % (root, corpus, source))
        count = 0
        for folder, _, names in sorted(os.walk(root)):
            for name in sorted(name for name in names if name.endswith(".wav")):
                path = os.path.join(folder, name)
                check_wav(path)
                requires_sound(path)
                key = os.path.relpath(path, options.folder)[:-4].replace(os.sep, "/")
                lines.append("%s %s" % (key, os.path.abspath(path)))
                count += 1
        print("%s: %d files" % (below, count))
        if count != wanted and not options.partial:
            raise BadCorpus(
                "%s: %d files, %s has %d; get what is missing, or give --partial if this is meant"
                % (root, count, corpus, wanted)
            )
    if not lines:
        raise BadCorpus("%s: no WAV files; get %s from %s" % (options.folder, corpus, source))
    write_lines(options.out, lines)
    print("%s: %d lines" % (options.out, len(lines)))
