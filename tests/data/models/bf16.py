"""How far gradients of ResNets are from float64 under PyTorch's bfloat16 autocast.

    python bf16.py FILE.safetensors ...  > bf16.json

The files are those of WeSpeaker's networks beside this script, whose f64.grad.NAME are the exact gradients, and
those that AutocastTest.main writes of wide and of reversible networks, with SlimVox's gradients in float32.
For each: the distance of all gradients together, |g - exact| / |exact|, and quantiles of the same of single
parameters. Forward and loss run under torch.autocast("cpu", torch.bfloat16), but reversible streams stay float32:
in bfloat16 they could not be undone. Needs torch and numpy.
"""

import json
import math
import os
import sys

import torch
import torch.nn.functional as F
import revnet
from revnet import distance, read


def bn(p, x, name):
    return F.batch_norm(x, None, None, p[name + ".weight"], p[name + ".bias"], True)


def conv(p, x, name, stride=1):
    w = p[name + ".weight"]
    return F.conv2d(x, w, None, stride, w.shape[-1] // 2)


def loss(p, x, labels, margin, scale):
    x = F.relu(bn(p, conv(p, x.transpose(1, 2).unsqueeze(1), "conv1"), "bn1"))
    for block in dict.fromkeys(n.rsplit(".", 2)[0] for n in p if ".conv1." in n):
        stage, index = block[5:].split(".")
        stride = 2 if stage > "1" and index == "0" else 1
        count = 3 if f"{block}.conv3.weight" in p else 2
        strided = 2 if count == 3 else 1
        y = x
        for i in range(1, count + 1):
            y = bn(p, conv(p, y, f"{block}.conv{i}", stride if i == strided else 1), f"{block}.bn{i}")
            y = F.relu(y) if i < count else y
        if f"{block}.shortcut.0.weight" in p:
            x = bn(p, conv(p, x, f"{block}.shortcut.0", stride), f"{block}.shortcut.1")
        x = F.relu(y + x)
    x = x.flatten(1, 2)
    x = torch.cat([x.mean(-1), torch.sqrt(torch.var(x, -1) + 1e-7)], 1)
    x = F.linear(x, p["seg_1.weight"], p["seg_1.bias"])
    c = F.linear(F.normalize(x), F.normalize(p["projection.weight"])).clamp(-1 + 1e-7, 1 - 1e-7)
    phi = c * math.cos(margin) - torch.sqrt(1 - c * c) * math.sin(margin)
    phi = torch.where(c > math.cos(math.pi - margin), phi, c - (1 + math.cos(math.pi - margin)))
    one = F.one_hot(labels, c.shape[1]).bool()
    return F.cross_entropy(scale * torch.where(one, phi, c), labels)


class Reversible(revnet.Net):
    def split(self, x):
        return [s.float() if s.dtype == torch.bfloat16 else s for s in super().split(x)]


def gradients(tensors, meta, dtype, autocast):
    p = {
        n[6:]: t.to(dtype).requires_grad_()
        for n, t in tensors.items()
        if n.startswith("param.") and t.dtype != torch.int64 and "running" not in n
    }
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        if meta.get("kind") in ("PARTIAL", "FULL"):
            net = Reversible(p, meta["kind"], meta["units"], meta["order"])
            value = net.loss(tensors["features"].to(dtype))
        elif "kind" in meta:
            x = tensors["features"].to(dtype).transpose(1, 2)
            value = loss(p, x, torch.arange(len(x)), 0.2, 32)
        else:
            spec = json.loads(meta["meta"])["spec"]
            value = loss(p, tensors["input"].to(dtype), tensors["labels"], spec["margin"], spec["scale"])
    value.backward()
    return {n: t.grad.double() for n, t in p.items()}


def main(paths):
    rows = {"source": "tests/data/models/bf16.py, PyTorch " + torch.__version__}
    for path in paths:
        tensors, meta = read(path)
        exact = gradients(tensors, meta, torch.float64, False)
        if "kind" in meta:  # this script computes the network that the file is of
            assert distance({n: tensors["float32." + n].double() for n in exact}, exact) < 0.02, path
        else:
            for n, g in exact.items():
                assert torch.allclose(g, tensors["f64.grad." + n], 1e-6, 1e-9), n
        rounded = gradients(tensors, meta, torch.float32, True)
        each = torch.tensor([distance({n: rounded[n]}, {n: exact[n]}) for n in exact])
        q = torch.quantile(each, torch.tensor([0.25, 0.5, 0.75]))
        name = os.path.basename(path).removesuffix(".safetensors")
        rows[name] = {
            "all": round(distance(rounded, exact), 4),
            "quartiles": [round(float(v), 4) for v in q],
        }
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
