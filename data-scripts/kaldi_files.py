"""What the corpus scripts share: Kaldi text files, trial lists, error lines.

Only the standard library of Python 3.8 or later is used. Every list is made by rule, without a
random generator, so that the same recordings give the same files everywhere; the class
slimvox.data.TrialRule of the library follows the same rules.
"""

import hashlib
import itertools
import os
import struct
import sys
import wave

MOST_TRIALS = 5000  # of each kind (same speaker, different speakers) in one list
JOINED_RECORDINGS = 3  # recordings of about a second in a joined utterance
JOINED_PASSES = 2  # how often each recording is used in joined utterances


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


def text_independent(speakers, utterances):
    """Two recordings with different words; without words: any two recordings."""
    return ranked_trials(
        (utterances[a][1] == utterances[b][1], a, b)
        for a, b in pairs(speakers, utterances)
        if utterances[a][2] is None or utterances[a][2] != utterances[b][2]
    )


def text_dependent(speakers, utterances):
    """Two recordings of the same word."""
    return ranked_trials(
        (utterances[a][1] == utterances[b][1], a, b)
        for a, b in pairs(speakers, utterances)
        if utterances[a][2] == utterances[b][2]
    )


def join(utterances):
    """Joined utterances: dictionary from id to (list of utterances, speaker).

    In each of JOINED_PASSES passes a speaker's recordings are ranked by the hexadecimal SHA-256 of
    the text "joined PASS UTTERANCE" and cut into consecutive groups of JOINED_RECORDINGS; what is
    left over at the end of a pass is not used. Ids are SPEAKER-joined-NN, NN counting from 00.
    """
    by_speaker = {}
    for u in sorted(utterances):
        by_speaker.setdefault(utterances[u][1], []).append(u)
    joined = {}
    for speaker, recordings in by_speaker.items():
        number = 0
        for turn in range(JOINED_PASSES):
            ranked = sorted(recordings, key=lambda u: digest("joined %d %s" % (turn, u)))
            for start in range(0, len(ranked) - JOINED_RECORDINGS + 1, JOINED_RECORDINGS):
                parts = ranked[start : start + JOINED_RECORDINGS]
                joined["%s-joined-%02d" % (speaker, number)] = (parts, speaker)
                number += 1
    return joined


def joined_trials(speakers, utterances, joined):
    """Two joined utterances that have no recording and, where words are known, no word in common."""
    content = {
        j: set(utterances[u][2] or u for u in parts)
        for j, (parts, speaker) in joined.items()
        if speaker in speakers
    }
    return ranked_trials(
        (joined[a][1] == joined[b][1], a, b)
        for a, b in itertools.combinations(sorted(content), 2)
        if not content[a] & content[b]
    )


def write_splits(folder, splits, utterances, joined):
    """Writes NAME.speakers for each split, and for all but train the trial lists below trials/."""
    for name, speakers in splits.items():
        write_lines(os.path.join(folder, name + ".speakers"), sorted(speakers))
        if name == "train":
            continue
        lists = {
            "text-independent": text_independent(speakers, utterances),
            "text-dependent": text_dependent(speakers, utterances),
            "joined": joined_trials(speakers, utterances, joined),
        }
        for kind, lines in lists.items():
            write_lines(os.path.join(folder, "trials", "%s-%s.txt" % (name, kind)), lines)
            same = sum(line.startswith("1") for line in lines)
            print("trials/%s-%s.txt: %d trials, %d same speaker" % (name, kind, len(lines), same))
    write_lines(
        os.path.join(folder, "joined2utt"),
        ["%s %s" % (j, " ".join(joined[j][0])) for j in sorted(joined)],
    )


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


def flac_md5(path):
    """MD5 of the samples (16-bit, little endian) that a FLAC file says it holds."""
    with open(path, "rb") as sound:
        return sound.read(42)[26:42].hex()


def wav_md5(path):
    """MD5 of the samples of a WAV file, comparable to flac_md5."""
    with wave.open(path, "rb") as sound:
        return hashlib.md5(sound.readframes(sound.getnframes())).hexdigest()
