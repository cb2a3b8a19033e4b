#!/usr/bin/env python3
"""Makes data-scripts/speech-commands, the corpus that ships with SlimVox, again, or checks it.

    data-scripts/speech-commands.py ARCHIVE... [--out FOLDER]
    data-scripts/speech-commands.py --check [--trials] [--out FOLDER]

ARCHIVE is speech_commands_v0.02.tar.gz or speech_commands_v0.01.tar.gz from
https://download.tensorflow.org/data/ (CC BY 4.0, 2.4 and 1.5 GB), or a folder of its WAV files.
Recordings are known by their content (recordings.tsv has the first 16 hexadecimal digits of the SHA-1
of each WAV file), so that one archive may be enough; what is missing is said, and then nothing is
written. --check compares all but the trial lists with the rules, --trials those too (a minute).
FOLDER is this folder's speech-commands/ unless given; its recordings.tsv is read, or where
it has none, that of the corpus that ships. Needs the `flac` tool (Debian, Homebrew, conda: package
flac). Rules: speech-commands/README.md.
"""

import argparse
import array
import gzip
import hashlib
import io
import itertools
import os
import shutil
import subprocess
import sys
import tarfile
import wave
import zlib

import kaldi_files
from kaldi_files import BadCorpus, digest

SOURCE = "https://download.tensorflow.org/data/"
PUBLISHED = {  # SHA-256, as in torchaudio's and TensorFlow's lists of checksums
    "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d": "version 0.01",
    "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58": "version 0.02",
}
PARTS = ("train", "val", "test")
RATE = 16000
KEPT = 12800  # samples of a recording: 0.8 s
NOISE_DB = 40  # rounding stays as far below the level of the recording
BLOCK = 1600  # of FLAC, an eighth of a recording: each part is rounded alike
OFTEN = 6  # recordings, at least, of the speakers in train6.speakers
JOINED_WORDS = 4
JOINED_PASSES = 6
MOST_JOINED = 24  # of a speaker
MOST_TARGETS = {"same-word": 60, "different-words": 120, "joined": 120}  # of a speaker
TRIALS = 100000  # of a list, at least, where there are so many
FORMAT = "--endian=little --sign=signed".split()
RAW = FORMAT + "--channels=1 --bps=16 --sample-rate=16000".split()
ENCODE = "flac -8 --silent --force --no-padding".split() + RAW


def read_table(path):
    """Dictionary from utterance to (start of the WAV file's SHA-1, part), sorted."""
    rows = {}
    with open(path, encoding="utf-8") as table:
        for number, line in enumerate(table, 1):
            fields = line.split()
            if line.startswith("#"):
                continue
            if len(fields) != 3 or fields[0].count("-") != 2 or fields[2] not in PARTS:
                raise BadCorpus("%s, line %d: not UTTERANCE SHA1 PART" % (path, number))
            rows[fields[0]] = fields[1:]
    return dict(sorted(rows.items()))


def wav_files(source):
    """The bytes of each WAV file of an archive or a folder."""
    if os.path.isdir(source):
        for place, _, names in os.walk(source):
            for name in sorted(names):
                if name.endswith(".wav"):
                    with open(os.path.join(place, name), "rb") as sound:
                        yield sound.read()
        return
    sha256 = hashlib.sha256()
    with open(source, "rb") as archive:
        for block in iter(lambda: archive.read(1 << 20), b""):
            sha256.update(block)
    print("%s: %s" % (source, PUBLISHED.get(sha256.hexdigest(), "not as published")))
    files = 0
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                if member.isfile() and member.name.endswith(".wav"):
                    yield archive.extractfile(member).read()
                    files += 1
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
        raise BadCorpus(
            "%s: cut short or damaged after %d recordings; download it again from %s"
            % (source, files, SOURCE)
        ) from None


def shortened(samples):
    """The 0.8 s with the most energy, the first of several."""
    energy = list(itertools.accumulate((x * x for x in samples), initial=0))
    sums = [end - start for start, end in zip(energy, energy[KEPT:])] or [0]
    start = sums.index(max(sums))
    return samples[start : start + KEPT]


def rounded(samples):
    """Multiples of 2^k, with the largest k that leaves the noise NOISE_DB below the level."""
    level = sum(x * x for x in samples) / max(1, len(samples)) * 10.0 ** (-NOISE_DB / 10)
    k = 0
    while 4.0 ** (k + 1) / 12 <= level and k < 12:
        k += 1
    if k == 0:
        return samples
    half, top = 1 << k - 1, 32768 >> k
    return array.array("h", (max(-top, min((x + half) >> k, top - 1)) << k for x in samples))


def samples_of(content):
    with wave.open(io.BytesIO(content)) as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    return rounded(shortened(samples))


def make_sound(rows, sources, out):
    """Writes PART.flac of each part, utterances of KEPT samples side by side; returns lengths."""
    wanted = {sha1: utterance for utterance, (sha1, _) in rows.items()}
    places = {u: i for part in PARTS for i, u in enumerate(of_part(rows, part))}
    lengths = {}
    os.makedirs(out, exist_ok=True)
    raw = {part: os.path.join(out, part + ".raw.tmp") for part in PARTS}
    try:
        files = {part: open(raw[part], "wb") for part in PARTS}
        for content in itertools.chain.from_iterable(map(wav_files, sources)):
            utterance = wanted.pop(hashlib.sha1(content).hexdigest()[:16], None)
            if utterance is None:
                continue
            samples = samples_of(content)
            if sys.byteorder == "big":
                samples.byteswap()
            to = files[rows[utterance][1]]
            to.seek(2 * KEPT * places[utterance])
            to.write(samples.tobytes())
            lengths[utterance] = len(samples)
        if wanted:
            raise BadCorpus(
                "%d of %d recordings are in none of %s, the first is %s; add the other version's"
                " archive from %s"
                % (len(wanted), len(rows), " ".join(sources), min(wanted.values()), SOURCE)
            )
        for part in PARTS:
            files[part].truncate(2 * KEPT * len(of_part(rows, part)))
            files[part].close()
            flac = os.path.join(out, part + ".flac")
            points = ["-b", str(BLOCK), "-S", "%ss" % (KEPT / RATE)]
            subprocess.run(ENCODE + points + ["-o", flac + ".tmp", raw[part]], check=True)
            os.replace(flac + ".tmp", flac)
    finally:
        for path in raw.values():
            if os.path.exists(path):
                os.remove(path)
    return lengths


def of_part(rows, part):
    return [utterance for utterance in rows if rows[utterance][1] == part]


def seconds(samples):
    """The shortest text whose whole samples, as Kaldi cuts, are so many."""
    for digits, more in itertools.product(range(1, 6), (0, 1)):
        unit = 10**digits
        text = "%.*f" % (digits, (-(-samples * unit // RATE) + more) / unit)
        if int(float(text) * RATE) == samples:
            return text
    raise AssertionError("%d samples" % samples)


def joined_utterances(utterances):
    """A speaker's recordings in groups of four different words, dealt several times."""
    groups = []
    for turn in range(JOINED_PASSES):
        rest = sorted(utterances, key=lambda u: digest("joined %d %s" % (turn, u)))
        while True:
            group = {}
            for u in rest:
                group.setdefault(u.split("-")[1], u)
            group = list(group.values())[:JOINED_WORDS]
            if len(group) < JOINED_WORDS:
                break
            groups.append(group)
            rest = [u for u in rest if u not in group]
    return groups[:MOST_JOINED]


def trials(kind, items, fits):
    """Lines of at most MOST_TARGETS pairs a speaker, and of each two speakers as many as are needed.

    items: dictionary from speaker to what is paired.
    """

    def lowest(pairs, most):
        return sorted((digest("%s %s" % pair), pair) for pair in pairs if fits(*pair))[:most]

    targets = [
        pair
        for own in items.values()
        for pair in lowest(itertools.combinations(own, 2), MOST_TARGETS[kind])
    ]
    couples = list(itertools.combinations(sorted(items), 2))
    first = most = -(-max(0, TRIALS - len(targets)) // max(1, len(couples)))
    limit = 4 * first + 8
    ranked = [lowest(itertools.product(items[s], items[t]), 2 * limit) for s, t in couples]
    while len(targets) + sum(min(most, len(r)) for r in ranked) < TRIALS and most <= limit:
        most += max(1, most // 8)
    others = [pair for pairs in ranked for pair in pairs[:most]]
    lines = [(rank, "1 %s %s" % pair) for rank, pair in targets]
    lines += [(rank, "0 %s %s" % pair) for rank, pair in others]
    return [line for _, line in sorted(lines)]


def lists(rows, lengths, with_trials):
    """Dictionary from file name to lines of all but the sound."""
    segments, joined, found = [], {}, {}
    for part in PARTS:
        speakers = {}
        for place, u in enumerate(of_part(rows, part)):
            speakers.setdefault(u.split("-")[0], []).append(u)
            start = place * KEPT
            segments.append("%s %s %s %s" % (u, part, seconds(start), seconds(start + lengths[u])))
        found[part + ".speakers"] = sorted(speakers)
        if part == "train":
            often = sorted(s for s, own in speakers.items() if len(own) >= OFTEN)
            found["train%d.speakers" % OFTEN] = often
            continue
        groups = {s: [] for s in speakers}
        for s, own in speakers.items():
            for i, group in enumerate(joined_utterances(own)):
                groups[s].append("%s-j%02d" % (s, i))
                joined[groups[s][-1]] = group

        def word(utterance):
            return utterance.split("-")[1]

        kinds = {
            "same-word": (speakers, lambda a, b: word(a) == word(b)),
            "different-words": (speakers, lambda a, b: word(a) != word(b)),
            "joined": (groups, lambda a, b: not set(joined[a]) & set(joined[b])),
        }
        for kind, (items, fits) in kinds.items() if with_trials else ():
            found["trials/%s-%s.txt" % (part, kind)] = trials(kind, items, fits)
    found["wav.scp"] = ["%s %s.flac" % (part, part) for part in sorted(PARTS)]
    found["segments"] = sorted(segments)
    found["utt2spk"] = ["%s %s" % (u, u.split("-")[0]) for u in rows]
    found["utt2word"] = ["%s %s" % (u, u.split("-")[1]) for u in rows]
    found["joined2utt"] = ["%s %s" % (j, " ".join(joined[j])) for j in sorted(joined)]
    return found


def check(rows, folder, with_trials):
    """Prints counts and the SHA-256 of all samples in the order of the ids; compares the lists."""
    sound, size, lengths = {}, 0, {}
    for part in PARTS:
        path = os.path.join(folder, part + ".flac")
        size += os.path.getsize(path)
        decode = ["flac", "-d", "--stdout", "--silent", "--force-raw-format"] + FORMAT + [path]
        run = subprocess.run(decode, stdout=subprocess.PIPE, check=False)
        if run.returncode:
            raise BadCorpus("%s: damaged, as flac says; copy it or make it again" % path)
        sound[part] = run.stdout
    sha256 = hashlib.sha256()
    with open(os.path.join(folder, "segments"), encoding="utf-8") as segments:
        for line in segments:
            utterance, part, start, end = line.split()
            first, last = (int(float(time) * RATE) for time in (start, end))
            sha256.update(sound[part][2 * first : 2 * last])
            lengths[utterance] = last - first
    if lengths.keys() != rows.keys():
        raise BadCorpus("%s/segments: other utterances than recordings.tsv has" % folder)
    for name, lines in lists(rows, lengths, with_trials).items():
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as there:
            if there.read().splitlines() != lines:
                raise BadCorpus("%s: not as the rules make it; make it again" % path)
        if name.startswith("trials/"):
            same = sum(line.startswith("1") for line in lines)
            print("%s: %d trials, %d of the same speaker" % (name, len(lines), same))
    print(
        "%d recordings, %d speakers, %d words, %.3f h, %d bytes of FLAC; SHA-256 of all samples %s"
        % (
            len(rows),
            len({u.split("-")[0] for u in rows}),
            len({u.split("-")[1] for u in rows}),
            sum(lengths.values()) / RATE / 3600,
            size,
            sha256.hexdigest(),
        )
    )


def main(arguments):
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "speech-commands")
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("archive", nargs="*", help="archive of the data set, or its folder")
    parser.add_argument("--out", default=here, help="folder of the corpus")
    parser.add_argument("--check", action="store_true", help="check the folder, change nothing")
    parser.add_argument("--trials", action="store_true", help="with --check: trial lists too")
    options = parser.parse_args(arguments)
    if options.check == bool(options.archive):
        parser.error("name the archives to make the corpus from, or give --check alone")
    if shutil.which("flac") is None:
        raise BadCorpus("the tool flac is missing; install the package flac (apt, brew, conda)")
    table = os.path.join(options.out, "recordings.tsv")
    rows = read_table(table if os.path.isfile(table) else os.path.join(here, "recordings.tsv"))
    if not options.check:
        lengths = make_sound(rows, options.archive, options.out)
        for name, lines in lists(rows, lengths, True).items():
            kaldi_files.write_lines(os.path.join(options.out, name), lines)
    check(rows, options.out, options.trials)


if __name__ == "__main__":
    kaldi_files.run(main)
