"""Known answers of slimvox.audio.Channel in float64: samples behind the channel of an id.

    python make_channel.py channel.safetensors

The generator is that of java.util.SplittableRandom (SplitMix64). Filters by frequency sampling: the
inverse transform of 65 samples of the response, which is linear in dB between 6 values from 0 to
half the sample rate. Needs numpy and safetensors.
"""
import hashlib
import math
import sys

import numpy as np
from safetensors.numpy import save_file

MASK = (1 << 64) - 1
TAPS = 65


class SplitMix64:
    def __init__(self, seed):
        self.state = seed

    def uniform(self, low, high):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return low + (high - low) * ((z ^ (z >> 31)) >> 11) * 2.0**-53


def taps(random, decibels):
    knots = [random.uniform(-decibels, decibels) for _ in range(6)]
    frequencies = np.minimum(np.arange(TAPS), TAPS - np.arange(TAPS)) / TAPS  # of the sample rate
    level = np.interp(frequencies, np.linspace(0, 0.5, 6), knots)
    return np.roll(np.fft.ifft(10 ** (level / 20)).real, TAPS // 2)


def behind(samples, name):
    random = SplitMix64(int.from_bytes(hashlib.sha256(f"channel {name}".encode()).digest()[:8], "little"))
    response, colour = taps(random, 6), taps(random, 10)
    snr, gain = random.uniform(5, 20), random.uniform(-6, 6)
    white = math.sqrt(3) * np.array([random.uniform(-1, 1) for _ in samples])
    speech = np.convolve(samples, response, "same")
    noise = np.convolve(white, colour, "same")
    noise *= math.sqrt((speech**2).mean() / (noise**2).mean() / 10 ** (snr / 10))
    return (speech + noise) * 10 ** (gain / 20)


def main(out):
    samples = (0.2 * np.random.default_rng(1).standard_normal(1000)).astype("float32")
    answers = {name: behind(samples.astype("float64"), name) for name in ("s1-u1", "word/ü_7.flac")}
    save_file({"samples": samples} | answers, out)


main(sys.argv[1])
