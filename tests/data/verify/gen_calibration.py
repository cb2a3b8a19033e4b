"""Makes calibration.json: known answers for Cllr, QualityMeasures and QualityCalibration.

    python gen_calibration.py calibration.json [WESPEAKER]      # numpy, torch, scikit-learn

WESPEAKER: a checkout of WeSpeaker, whose bin/score_calibration.py then has to find the same scores
from the same measures (commit 86576bd was asked). With all 13 measures its result depends on the
order of the lines, by rounding alone; so there are known answers with fewer of them, for which it
does not, and with all of them how far apart the results of three orders are.
"""

import json
import os
import sys
import tempfile

import numpy as np
import torch
from sklearn.isotonic import IsotonicRegression

DIMENSION, SPEAKERS, UTTERANCES, COHORT, TOP, LONGEST = 8, 12, 6, 30, 10, 20.0


def made(rng):
    speakers = rng.normal(size=(SPEAKERS, DIMENSION)) + 0.5
    seconds = np.exp(rng.normal(2, 0.8, size=(SPEAKERS, UTTERANCES)))
    noise = rng.normal(size=(SPEAKERS, UTTERANCES, DIMENSION))
    embeddings = 3 * speakers[:, None] + 6 * noise / np.sqrt(seconds)[:, :, None]
    cohort = rng.normal(size=(COHORT, DIMENSION)) + 0.5
    return embeddings.reshape(-1, DIMENSION), cohort, seconds.ravel()


def pairs(speakers):
    of = [s * UTTERANCES + u for s in speakers for u in range(UTTERANCES)]
    return [(a, b) for i, a in enumerate(of) for b in of[i + 1 :]]


def measures(pairs, embeddings, cohort, mean, seconds):
    centred, others = embeddings - mean, cohort - mean
    lengths = np.linalg.norm(centred, axis=1)
    units = centred / lengths[:, None]
    others = others / np.linalg.norm(others, axis=1, keepdims=True)
    nearest = -np.sort(-units @ others.T, axis=1)[:, :TOP]
    mu, sigma = nearest.mean(1), nearest.std(1)
    rows = []
    for a, b in pairs:
        cosine = units[a] @ units[b]
        row = [((cosine - mu[a]) / sigma[a] + (cosine - mu[b]) / sigma[b]) / 2]
        for kind in (np.minimum(seconds, LONGEST), lengths, mu):
            low, high = sorted((kind[a], kind[b]))
            row += [low, high, high - low, high / low]
        rows.append(row)
    return np.array(rows)


def cllr(targets, nontargets):
    softplus = lambda x: torch.log1p(torch.exp(x))
    return (softplus(-targets).mean() + softplus(nontargets).mean()) / 2 / np.log(2)


def trained(values, labels):
    x, t = torch.from_numpy(values), torch.from_numpy(labels)
    first = float(np.float32(1 / values.shape[1]))  # made in float32 there, float64 later
    w = torch.full((values.shape[1],), first, dtype=torch.float64, requires_grad=True)
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    rule = torch.optim.LBFGS([w, b], lr=0.01)

    def loss():
        rule.zero_grad()
        s = x @ w + b
        value = cllr(s[t], s[~t])
        value.backward()
        return value

    least = 1e6
    for _ in range(50):
        value = rule.step(loss).item()
        if least - value < 1e-4:
            break
        least = value
    return w.detach().numpy(), b.item()


def least_cllr(scores, labels):
    p = IsotonicRegression(y_min=0, y_max=1).fit_transform(scores, labels.astype(float))
    with np.errstate(divide="ignore"):
        ratio = np.log(p) - np.log1p(-p) - np.log(labels.sum() / (~labels).sum())
    return cllr(torch.from_numpy(ratio[labels]), torch.from_numpy(ratio[~labels])).item()


def by_wespeaker(folder, train, labels, test):
    sys.path.insert(0, folder)
    from wespeaker.bin import score_calibration as theirs

    with tempfile.TemporaryDirectory() as tmp:
        name = lambda n: os.path.join(tmp, n)
        for n, rows, kinds in (("train", train, labels), ("test", test, np.ones(len(test), bool))):
            with open(name(n), "w") as out:
                for row, kind in zip(rows, kinds):
                    label = "target" if kind else "nontarget"
                    print("a", "b", label, *(repr(float(v)) for v in row), file=out)
        theirs.train_calibration_model(name("train"), name("model.pt"))
        theirs.infer_calibration(name("test"), name("model.pt"), name("scores"))
        with open(name("scores")) as scores:
            return np.array([float(line.split()[2]) for line in scores])


def main(out, wespeaker=None):
    rng = np.random.default_rng(28)
    embeddings, cohort, seconds = made(rng)
    embeddings, cohort = embeddings.astype(np.float32), cohort.astype(np.float32)
    mean = cohort.mean(0, dtype=np.float64)
    lists = [pairs(range(0, 6)), pairs(range(6, SPEAKERS))]
    train, test = (measures(p, embeddings.astype(float), cohort, mean, seconds) for p in lists)
    labels = [np.array([a // UTTERANCES == b // UTTERANCES for a, b in p]) for p in lists]
    cases = []
    for chosen in ([0], [0, 1, 5, 9], list(range(train.shape[1]))):
        of = np.ascontiguousarray(train[:, chosen])
        orders = [np.arange(len(of))] + [rng.permutation(len(of)) for _ in range(2)]
        found = [trained(of[o], labels[0][o]) for o in orders]
        scores = [test[:, chosen] @ weights + offset for weights, offset in found]
        case = {"measures": chosen, "weights": [*found[0][0].tolist(), found[0][1]]}
        case["spread"] = max(np.abs(s - scores[0]).max() for s in scores)
        if wespeaker:
            theirs = by_wespeaker(wespeaker, of, labels[0], test[:, chosen])
            print(chosen, "spread", case["spread"], "WeSpeaker", np.abs(theirs - scores[0]).max())
        costs = [cllr(*(torch.from_numpy(s[k]) for k in (labels[1], ~labels[1]))) for s in scores]
        case["scores"] = scores[0].tolist()
        case["cllr"] = costs[0].item()
        case["cllr_spread"] = (max(costs) - min(costs)).item()
        case["min_cllr"] = least_cllr(scores[0], labels[1])
        case["min_cllr_of_one_decimal"] = least_cllr(np.round(scores[0], 1), labels[1])
        cases.append(case)
    known = {
        "top": TOP,
        "embeddings": embeddings.tolist(),
        "cohort": cohort.tolist(),
        "mean": mean.tolist(),
        "seconds": seconds.tolist(),
        "utterances_of_a_speaker": UTTERANCES,
        "first_measures": test[:20].tolist(),
        "calibrations": cases,
    }
    with open(out, "w") as file:
        json.dump(known, file)
        file.write("\n")


main(*sys.argv[1:])
