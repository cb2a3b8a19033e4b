"""Reversible networks in PyTorch, float64: known answers, and how far float32 gradients are from them.

    python revnet.py known OUT.safetensors FILE.safetensors ...   writes the known answers of these networks
    python revnet.py compare FILE.safetensors ...                 compares their gradients with the exact ones

FILE holds what SlimVox wrote of one network: param.NAME, features, WAY.NAME (gradients, flat, for each way to
compute them: stored, rebuilt, lean, fixed) and, as metadata, model, kind, units and order.

The networks are written down a second time, from the rules in models/RevNet.java's comment, driven by the
parameters' names; autograd differentiates them, so nothing is rebuilt and nothing is hand-derived.
Needs torch and numpy.
"""

import json
import math
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}


def read(path):
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        data = f.read()
    meta = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        values = np.frombuffer(data[a:b], DTYPES[t["dtype"]]).reshape(t["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, meta


def write(path, tensors, meta):
    names = {np.dtype(v): k for k, v in DTYPES.items()}
    header, blobs, at = {"__metadata__": meta}, [], 0
    for name, t in tensors.items():
        array = np.ascontiguousarray(t.detach().numpy())
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(t.shape),
            "data_offsets": [at, at + array.nbytes],
        }
        blobs.append(array.tobytes())
        at += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Net:
    """The loss of a network whose parameters are in a dictionary."""

    def __init__(self, p, meta):
        self.p, self.kind, self.units, self.order = p, meta["kind"], meta["units"], meta["order"]
        gemini = meta["model"].startswith("Gemini")
        self.strides = [(2, 1), (2, 2), (2, 1), (2, 1)] if gemini else [(1, 1), (2, 2), (2, 2), (2, 2)]
        self.family = "df" if any(n.startswith("downsample_layers") for n in p) else "resnet"

    def bn(self, x, name, relu):
        y = F.batch_norm(x, None, None, self.p[name + ".weight"], self.p[name + ".bias"], True)
        return F.relu(y) if relu else y

    def conv(self, x, name, stride=1):
        w = self.p[name + ".weight"]
        return F.conv2d(x, w, None, stride, w.shape[-1] // 2, 1, x.shape[1] // w.shape[1])

    def function(self, x, name):
        count = 3 if self.family == "df" else 2
        for i in range(1, count + 1):
            if self.order == "PRE":
                x = self.bn(x, f"{name}.bn{i}", True)
            elif i > 1:
                x = self.bn(x, f"{name}.bn{i - 1}", True)
            x = self.conv(x, f"{name}.conv{i}")
        return x if self.order == "PRE" else self.bn(x, f"{name}.bn{count}", False)

    def couplings(self, x1, x2, prefix):
        blocks = {int(n[len(prefix):].split(".")[0]) for n in self.p if n.startswith(prefix) and ".f." in n}
        for i in sorted(blocks):
            x1 = x1 + self.function(x2, f"{prefix}{i}.f")
            if f"{prefix}{i}.g.conv1.weight" in self.p:
                x2 = x2 + self.function(x1, f"{prefix}{i}.g")
        return x1, x2

    def split(self, x):
        return (x, x) if self.units == "C" else x.chunk(2, 1)

    def join(self, x1, x2):
        return x1 + x2 if self.units == "C" else torch.cat([x1, x2], 1)

    def transition(self, x, stage):
        if self.family == "df":
            name = f"downsample_layers.{stage + 1}"
            return self.bn(self.conv(x, name + ".0", self.strides[stage]), name + ".1", False)
        if stage == 0:
            return x
        name = f"layer{stage + 1}.0"
        y = self.bn(self.conv(x, name + ".conv1", 2), name + ".bn1", True)
        y = self.bn(self.conv(y, name + ".conv2"), name + ".bn2", False)
        s = self.conv(x, name + ".shortcut.0", 2)
        return F.relu(y + self.bn(s, name + ".shortcut.1", False))

    def embed(self, x):
        x = x.unsqueeze(1)
        stem = ("downsample_layers.0.0", "downsample_layers.0.1") if self.family == "df" else ("conv1", "bn1")
        prefixes = [f"stages.{s}." if self.family == "df" else f"layer{s + 1}." for s in range(4)]
        if self.kind == "FULL":
            bins, frames = (math.prod(axis) for axis in zip(*self.strides))
            x = F.pad(x, (0, -x.shape[3] % frames, 0, -x.shape[2] % bins))
        x = self.bn(self.conv(x, stem[0]), stem[1], True)
        if self.kind == "FULL":
            x1, x2 = self.split(x)
            for stage in range(4):
                x1, x2 = (deepen(s, *self.strides[stage]) for s in (x1, x2))
                x1, x2 = self.couplings(x1, x2, prefixes[stage])
            x = self.conv(self.join(x1, x2), "conv_last")
        else:
            for stage in range(4):
                x = self.transition(x, stage)
                x = self.join(*self.couplings(*self.split(x), prefixes[stage]))
        x = self.bn(x, "bn_last", True).flatten(1, 2)
        x = torch.cat([x.mean(-1), torch.sqrt(torch.var(x, -1) + 1e-7)], 1)
        return F.linear(x, self.p["seg_1.weight"], self.p["seg_1.bias"])

    def loss(self, x):
        """AAM-softmax with margin 0.2 and scale 32; labels 0, 1, 2, ..."""
        w = F.normalize(self.p["projection.weight"])
        c = F.linear(F.normalize(self.embed(x)), w).clamp(-1 + 1e-7, 1 - 1e-7)
        m = 0.2
        phi = c * math.cos(m) - torch.sqrt(1 - c * c) * math.sin(m)
        phi = torch.where(c > math.cos(math.pi - m), phi, c - (1 + math.cos(math.pi - m)))
        labels = torch.arange(len(x)) % len(w)
        return F.cross_entropy(32 * torch.where(F.one_hot(labels, len(w)).bool(), phi, c), labels)


def deepen(x, f, t):
    """Space to depth in the order of slimvox.nn.SpaceToDepth."""
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // f, f, w // t, t).permute(0, 3, 5, 1, 2, 4)
    return x.reshape(n, f * t * c, h // f, w // t)


def gradients(tensors, meta, dtype):
    p = {
        n[6:]: t.to(dtype).requires_grad_()
        for n, t in tensors.items()
        if n.startswith("param.") and t.dtype != torch.int64 and "running" not in n
    }
    loss = Net(p, meta).loss(tensors["features"].to(dtype))
    loss.backward()
    return loss, {n: t.grad.double() for n, t in p.items()}


def distance(a, b):
    d = sum(((a[n].flatten() - b[n].flatten()) ** 2).sum() for n in b)
    return float(torch.sqrt(d / sum((t**2).sum() for t in b.values())))


def compare(path):
    tensors, meta = read(path)
    loss, exact = gradients(tensors, meta, torch.float64)
    _, single = gradients(tensors, meta, torch.float32)
    row = {k: v for k, v in meta.items() if not k.startswith("slimvox")}
    row.update(loss=round(float(loss.detach()), 6), torch32=round(distance(single, exact), 6))
    ways = {}
    for way in ("stored", "rebuilt", "lean", "fixed"):
        mine = {n[len(way) + 1 :]: t.double() for n, t in tensors.items() if n.startswith(way + ".")}
        mine.pop("loss", None)
        if mine:
            ways[way] = mine
            row[way] = round(distance(mine, exact), 6)
    if "rebuilt" in ways:
        row["rebuilt_stored"] = round(distance(ways["rebuilt"], ways["stored"]), 6)
    print(json.dumps(row), flush=True)


def known(out, paths):
    """Of each network the loss, and a row for each parameter: its gradient's norm and first four values."""
    answers = {}
    for path in paths:
        tensors, meta = read(path)
        name = ".".join(meta[k] for k in ("model", "kind", "units", "order"))
        loss, exact = gradients(tensors, meta, torch.float64)
        rows = [torch.cat([g.norm()[None], F.pad(g.flatten()[:4], (0, max(0, 4 - g.numel())))]) for g in exact.values()]
        answers[name + ".loss"] = loss.detach()
        answers[name + ".gradients"] = torch.stack(rows)
    write(out, answers, {"source": "tests/data/models/revnet.py, PyTorch " + torch.__version__})


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "compare":
        for path in sys.argv[2:]:
            compare(path)
    else:
        known(sys.argv[2], sys.argv[3:])
