"""Makes statistics.json: known answers for SpeakerDraws, Comparison and Whitening.

    python gen_statistics.py statistics.json        # numpy, scipy, scikit-learn, statsmodels

Nothing here is a translation: weighted EERs are the root of scikit-learn's ROC curve, weighted
minDCFs are computed on copies of trials, the variance from pairwise covariances, tests without
speaker variance are scipy's Welch tests, Holm's correction is statsmodels'.
"""

import json
import sys
from itertools import combinations

import numpy as np
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.stats import t, ttest_ind
from sklearn.metrics import roc_curve
from statsmodels.stats.multitest import multipletests

DRAWS, SPEAKERS, UTTERANCES, MARGIN = 200, 10, 3, 0.1


def java_random(seed):
    """java.util.Random.nextInt(bound), as its Javadoc states it."""
    state = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)

    def next_bits(bits):
        nonlocal state
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        value = state >> (48 - bits)
        return value - (1 << bits) if value >= 1 << (bits - 1) and bits == 32 else value

    def next_int(bound):
        if bound & -bound == bound:
            return (bound * next_bits(31)) >> 31
        while True:
            bits = next_bits(31)
            value = bits % bound
            if bits - value + (bound - 1) < 1 << 31:
                return value

    return next_int


def draws(n):
    next_int = java_random(1)
    times = []
    while len(times) < DRAWS:
        draw = np.bincount([next_int(n) for _ in range(n)], minlength=n)
        if draw.max() < n:
            times.append(draw)
    return times


def eer(labels, scores, weights):
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    return brentq(lambda x: 1.0 - x - interp1d(fpr, tpr)(x), 0.0, 1.0, xtol=1e-15)


def min_dcf(labels, scores, weights, p=0.05):
    order = np.repeat(np.argsort(scores, kind="stable"), weights[np.argsort(scores, kind="stable")])
    target = labels[order] == 1
    miss = np.cumsum(target) / target.sum()
    false_alarm = 1 - np.cumsum(~target) / (~target).sum()
    return np.min(p * miss + (1 - p) * false_alarm) / p


def cov2(runs):
    """The mean covariance over draws of two different runs; one run: its variance."""
    if len(runs) == 1:
        return np.var(runs[0], ddof=1)
    return np.mean([np.cov(a, b)[0, 1] for a, b in combinations(runs, 2)])


def contrast(variant, k, reference, speakers):
    """Estimate, standard error, degrees of freedom of mean(variant) - k mean(reference)."""
    (values1, draws1), (values2, draws2) = variant, reference
    value = np.mean(values1) - k * np.mean(values2)
    cov12 = np.mean([np.cov(a, b)[0, 1] for a in draws1 for b in draws2])
    c = max(0.0, cov2(draws1) + k * k * cov2(draws2) - 2 * k * cov12) * speakers / (speakers - 1)
    parts = [(c, speakers - 1)]
    for values, factor in ((values1, 1), (values2, k)):
        if len(values) > 1:
            n = len(values)
            parts.append((factor**2 * np.var(values, ddof=1) / n, n - 1))
    variance = sum(v for v, _ in parts)
    df = variance**2 / sum(v * v / d for v, d in parts)
    return value, np.sqrt(variance), df


def paired(variant, k, reference, speakers):
    """The same of runs that pair: a covariance over pairs of differences of equal seeds."""
    values = np.array(variant[0]) - k * np.array(reference[0])
    draws = np.array(variant[1]) - k * np.array(reference[1])
    c = max(0.0, cov2(draws)) * speakers / (speakers - 1)
    seeds = np.var(values, ddof=1) / len(values)
    df = (c + seeds) ** 2 / (c * c / (speakers - 1) + seeds * seeds / (len(values) - 1))
    return np.mean(values), np.sqrt(c + seeds), df


def once(variant, k, reference, speakers):
    """The same of these very networks: over speakers only."""
    draws = np.mean(variant[1], 0) - k * np.mean(reference[1], 0)
    error = np.sqrt(np.var(draws, ddof=1) * speakers / (speakers - 1))
    return np.mean(variant[0]) - k * np.mean(reference[0]), error, speakers - 1


def compare(reference, variant, speakers, contrast=contrast):
    value, error, df = contrast(variant, 1, reference, speakers)
    below, below_error, below_df = contrast(variant, 1 + MARGIN, reference, speakers)
    above, above_error, above_df = contrast(variant, 1 - MARGIN, reference, speakers)
    not_worse = t.cdf(below / below_error, below_df)
    not_better = t.sf(above / above_error, above_df)
    low, high = t.interval(0.95, df, value, error)

    def fieller(k):  # 0 at both ends of the interval of the ratio
        v, e, d = contrast(variant, k, reference, speakers)
        return abs(v) - t.ppf(0.975, d) * e

    ratio = np.mean(variant[0]) / np.mean(reference[0])
    return {
        "difference": value,
        "low": low,
        "high": high,
        "percent_low": 100 * (brentq(fieller, 0, ratio, xtol=1e-14) - 1),
        "percent_high": 100 * (brentq(fieller, ratio, 100 * ratio, xtol=1e-14) - 1),
        "p_different": 2 * t.sf(abs(value / error), df),
        "p_not_worse": not_worse,
        "p_equivalent": max(not_worse, not_better),
    }


def welch(reference, variant):
    """What is left when all speakers are alike: Welch's tests of the runs."""
    interval = ttest_ind(variant, reference, equal_var=False).confidence_interval(0.95)
    difference = np.mean(variant) - np.mean(reference)
    below = ttest_ind(variant, (1 + MARGIN) * reference, equal_var=False, alternative="less").pvalue
    above = ttest_ind(variant, (1 - MARGIN) * reference, equal_var=False, alternative="greater").pvalue
    return {
        "reference": list(reference),
        "variant": list(variant),
        "difference": difference,
        "low": interval.low,
        "high": interval.high,
        "p_different": ttest_ind(variant, reference, equal_var=False).pvalue,
        "p_not_worse": below,
        "p_equivalent": max(below, above),
    }


def verdict(p_different, p_not_worse, p_equivalent, difference):
    if p_equivalent <= 0.05:
        return "equivalent"
    if p_different <= 0.05:
        return "better" if difference < 0 else "worse"
    return "not worse" if p_not_worse <= 0.05 else "cannot tell"


def whitening(rng):
    """Cosines after W^-1/2 by eigenvalues, where SlimVox has a Cholesky factor: the same."""
    speakers = np.repeat(np.arange(5), [4, 3, 3, 1, 5])
    mixing = rng.normal(0, 1, (4, 4))
    x = rng.normal(0, 1, (5, 4))[speakers] + rng.normal(0, 1, (len(speakers), 4)) @ mixing + 3
    x = np.float32(np.round(x, 3)).astype(float)
    within = np.zeros((4, 4))
    for s in range(5):
        own = x[speakers == s] - x[speakers == s].mean(0)
        within += own.T @ own
    within /= len(speakers) - 5
    within += 1e-3 * np.trace(within) / 4 * np.eye(4)
    values, vectors = np.linalg.eigh(within)
    y = (x - x.mean(0)) @ vectors @ np.diag(values**-0.5) @ vectors.T
    unit = y / np.linalg.norm(y, axis=1, keepdims=True)
    return {"speakers": speakers.tolist(), "x": x.tolist(), "cosines": (unit @ unit[0]).tolist()}


def main(out):
    rng = np.random.default_rng(24)
    n = SPEAKERS * UTTERANCES
    pairs = [(a, b) for a in range(n) for b in range(a)]
    speaker = np.arange(n) // UTTERANCES
    enrol, test = (np.array([p[side] for p in pairs]) for side in (0, 1))
    labels = (speaker[enrol] == speaker[test]).astype(int)
    difficulty = rng.normal(0, 0.7, SPEAKERS)
    noise = rng.normal(0, 1, len(pairs))
    times = draws(SPEAKERS)

    def run(quality, difficulty=difficulty):
        own = rng.normal(0, 0.3, SPEAKERS)
        shift = quality + rng.normal(0, 0.15)
        target = labels * (shift + (difficulty + own)[speaker[enrol]])
        return np.round(0.8 * noise + 0.6 * rng.normal(0, 1, len(pairs)) + target, 1)

    runs = {"reference": [run(1.6) for _ in range(4)], "variant": [run(1.9) for _ in range(3)]}
    others = rng.normal(0, 0.7, SPEAKERS)  # other speakers are difficult: C is not 0
    runs["other"] = [run(1.7, others) for _ in range(3)]
    rates = {}
    for name, scores in runs.items():
        of_name = {"eer": ([], []), "min_dcf": ([], [])}
        for s in scores:
            for measure, f in (("eer", eer), ("min_dcf", min_dcf)):
                factor = 100 if measure == "eer" else 1
                all_once = np.ones(len(pairs), int)
                of_name[measure][0].append(factor * f(labels, s, all_once))
                under = []
                for draw in times:
                    e, f2 = draw[speaker[enrol]], draw[speaker[test]]
                    rate = f(labels, s, np.where(labels == 1, e, e * f2))
                    under.append(factor * np.floor(1e4 * rate + 0.500001) / 1e4)  # as it is kept
                of_name[measure][1].append(under)
        rates[name] = of_name

    comparisons = {
        m: compare(rates["reference"][m], rates["variant"][m], SPEAKERS) for m in ("eer", "min_dcf")
    }
    untrained = tuple(x[:1] for x in rates["variant"]["eer"])
    comparisons["eer, untrained"] = compare(rates["reference"]["eer"], untrained, SPEAKERS)
    first = tuple(x[:3] for x in rates["reference"]["eer"])
    comparisons["eer, paired"] = compare(first, rates["variant"]["eer"], SPEAKERS, paired)
    comparisons["eer, one run"] = compare(first, untrained, SPEAKERS, once)
    comparisons["eer, other speakers"] = compare(
        rates["reference"]["eer"], rates["other"]["eer"], SPEAKERS
    )
    alone = contrast(rates["variant"]["eer"], 0, rates["variant"]["eer"], SPEAKERS)
    interval = t.interval(0.95, alone[2], alone[0], alone[1])

    family = list(comparisons.values())[:2]
    corrected = {
        key: list(multipletests([c[key] for c in family] + [1], method="holm")[1][:2])
        for key in ("p_different", "p_not_worse", "p_equivalent")
    }
    p = [0.012, 0.2, 0.001, 0.04, 0.012, 0.9]
    cases = [
        [p1, p2, p3, d]
        for p1 in (0.05, 0.051)
        for p2, p3 in ((0.01, 0.05), (0.05, 0.2), (0.3, 0.3))
        for d in (-1.0, 1.0)
    ]
    answers = {
        "utterances_of_a_speaker": UTTERANCES,
        "speakers": SPEAKERS,
        "margin": MARGIN,
        "first_draws": [list(map(int, d)) for d in times[:3]],
        "scores": {name: [list(s) for s in scores] for name, scores in runs.items()},
        "rates": {
            name: {m: {"runs": v[0], "draws_of_run_1": v[1][0]} for m, v in of.items()}
            for name, of in rates.items()
        },
        "comparisons": comparisons,
        "family of two and one open": corrected,
        "interval_of_variant": [alone[0], *interval],
        "welch": [
            welch(np.array([9.1, 9.9, 8.7, 10.4]), np.array([9.3, 9.0, 9.8])),
            welch(np.array([9.1, 9.2, 9.15]), np.array([9.3, 9.2, 9.4])),
            welch(np.array([9.1, 9.9, 8.7]), np.array([6.3, 6.0, 6.9, 6.1, 6.2, 6.6])),
        ],
        "holm": {"p": p, "corrected": list(multipletests(p, method="holm")[1])},
        "whitening": whitening(rng),
        "verdicts": [{"case": c, "verdict": verdict(*c)} for c in cases],
    }
    lines = [json.dumps(key) + ": " + json.dumps(value) for key, value in answers.items()]
    with open(out, "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")


main(sys.argv[1])
