"""Times a training step in PyTorch, for comparison with slimvox bench step on the same card.

torch_step.py MODEL BATCH FRAMES CLASSES STEPS [--tf32] [--bf16] [--nchw]

MODEL is ResNet34, DF-ResNet56 or DF-ResNet233 (WeSpeaker's architectures, 80 bins, 32 channels,
256 values an embedding), SGD with Nesterov momentum. Prints one JSON object: median step time by
CUDA events with cuDNN's benchmark mode, and what PyTorch says about memory. Activations are
channels last, as ours; with --nchw they are not, which is faster for some precisions on some cards.
--bf16 is autocast.
"""

import json
import math
import statistics
import sys

import torch
from torch import nn
from torch.nn import functional

DEPTHS = {
    "ResNet34": (3, 4, 6, 3),
    "DF-ResNet56": (3, 3, 9, 3),
    "DF-ResNet233": (3, 8, 63, 3),
}
BINS = 80
PLANES = 32
EMBEDDING = 256
SCALE = 32.0
MARGIN = 0.2


def conv(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


class Residual(nn.Module):
    """relu(branch(x) + shortcut(x))."""

    def __init__(self, branch, shortcut):
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut

    def forward(self, x):
        return functional.relu(self.branch(x) + self.shortcut(x), inplace=True)


def basic(inputs, planes, stride):
    branch = nn.Sequential(
        conv(inputs, planes, 3, stride),
        nn.BatchNorm2d(planes),
        nn.ReLU(inplace=True),
        conv(planes, planes, 3),
        nn.BatchNorm2d(planes),
    )
    shortcut = nn.Identity()
    if stride != 1 or inputs != planes:
        shortcut = nn.Sequential(conv(inputs, planes, 1, stride), nn.BatchNorm2d(planes))
    return Residual(branch, shortcut)


def inverted(planes):
    wide = 4 * planes
    branch = nn.Sequential(
        conv(planes, wide, 1),
        nn.BatchNorm2d(wide),
        nn.ReLU(inplace=True),
        conv(wide, wide, 3, groups=wide),
        nn.BatchNorm2d(wide),
        nn.ReLU(inplace=True),
        conv(wide, planes, 1),
        nn.BatchNorm2d(planes),
    )
    return Residual(branch, nn.Identity())


class SpeakerNet(nn.Module):
    def __init__(self, name, classes):
        super().__init__()
        layers = [conv(1, PLANES, 3), nn.BatchNorm2d(PLANES), nn.ReLU(inplace=True)]
        inputs = PLANES
        for stage, depth in enumerate(DEPTHS[name]):
            planes = PLANES << stage
            stride = 1 if stage == 0 else 2
            if name.startswith("DF"):
                layers += [conv(inputs, planes, 3, stride), nn.BatchNorm2d(planes)]
                layers += [inverted(planes) for _ in range(depth)]
            else:
                for i in range(depth):
                    layers.append(
                        basic(inputs if i == 0 else planes, planes, stride if i == 0 else 1)
                    )
            inputs = planes
        self.trunk = nn.Sequential(*layers)
        self.embed = nn.Linear(2 * inputs * BINS // 8, EMBEDDING)
        self.classes = nn.Parameter(nn.init.xavier_uniform_(torch.empty(classes, EMBEDDING)))

    def forward(self, x, labels):
        x = self.trunk(x).flatten(1, 2)
        deviation = torch.sqrt(torch.var(x, -1) + 1e-7)
        e = self.embed(torch.cat([x.mean(-1), deviation], 1))
        cosine = functional.linear(functional.normalize(e), functional.normalize(self.classes))
        sine = torch.sqrt((1 - cosine * cosine).clamp(0, 1))
        moved = cosine * math.cos(MARGIN) - sine * math.sin(MARGIN)
        one_hot = functional.one_hot(labels, cosine.shape[1])
        return functional.cross_entropy(SCALE * torch.where(one_hot.bool(), moved, cosine), labels)


def main():
    name, batch, frames, classes, steps = sys.argv[1], *map(int, sys.argv[2:6])
    flags = sys.argv[6:]
    unknown = set(flags) - {"--tf32", "--bf16", "--nchw"}
    if unknown:
        sys.exit(f"torch_step.py: unknown {' '.join(unknown)}")
    tf32, bf16, nchw = ("--" + flag in flags for flag in ("tf32", "bf16", "nchw"))
    layout = torch.contiguous_format if nchw else torch.channels_last
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    net = SpeakerNet(name, classes).cuda().to(memory_format=layout)
    rule = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.9, weight_decay=1e-4, nesterov=True)
    features = torch.randn(batch, 1, BINS, frames, device="cuda")
    features = features.to(memory_format=layout)
    labels = torch.randint(classes, (batch,), device="cuda")

    def step():
        rule.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=bf16):
            loss = net(features, labels)
        loss.backward()
        rule.step()
        return loss.item()

    for _ in range(5):
        step()
    torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(steps):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        loss = step()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    stats = torch.cuda.memory_stats()
    free, total = torch.cuda.mem_get_info()
    print(
        json.dumps(
            {
                "model": name,
                "batch": batch,
                "frames": frames,
                "tf32": tf32,
                "bf16": bf16,
                "nchw": nchw,
                "torch": torch.__version__,
                "cudnn": torch.backends.cudnn.version(),
                "step_ms": statistics.median(times),
                "loss": loss,
                "requested_peak_bytes": stats.get("requested_bytes.all.peak"),
                "allocated_peak_bytes": torch.cuda.max_memory_allocated(),
                "reserved_peak_bytes": torch.cuda.max_memory_reserved(),
                "card_used_bytes": total - free,
            }
        )
    )


if __name__ == "__main__":
    main()
