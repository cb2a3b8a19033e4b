"""Small .pt files as WeSpeaker writes them, and embeddings of fixed features by PyTorch in float64.

    python pytorch.py WESPEAKER_CHECKOUT OUT [CHANNELS BINS]

resnet34.pt    state dict of a ResNet34, 2 channels, behind DataParallel (`module.`), classifier included
gemini.pt      average of two Gemini DF-ResNets, 2 channels, blocks 1, 1, 2, 1: its counters are real numbers
gemini114.pt   Gemini-DF-ResNet114, 2 channels
answers.safetensors   `features` (utterances x frames x bins), then an embedding per file and utterance, float64
kinds.pt       tensors of every type and of one storage; views.pt one that is not contiguous; embeddings.pt two vectors
legacy.pt, whole.pt, optimizer.pt    what is refused: the format before 1.6, a module, a training state
"""
import pathlib
import sys
import types

import torch
from safetensors.torch import save_file

CHANNELS, BINS = (int(n) for n in sys.argv[3:] or (2, 32))
FRAMES, UTTERANCES, SIZE, SPEAKERS = 61, 3, 6, 5


def networks(root):
    """WeSpeaker's model modules, without its package's own imports."""
    for name in ("wespeaker", "wespeaker.models"):
        package = types.ModuleType(name)
        package.__path__ = [str(pathlib.Path(root).joinpath(*name.split(".")))]
        sys.modules[name] = package
    import wespeaker.models.gemini_dfresnet as gemini
    import wespeaker.models.resnet as resnet

    dims = [CHANNELS * n for n in (1, 1, 2, 4, 8)]
    return {
        "resnet34": resnet.ResNet(resnet.BasicBlock, [3, 4, 6, 3], m_channels=CHANNELS, feat_dim=BINS, embed_dim=SIZE),
        "gemini": gemini.Gemini_DF_ResNet([1, 1, 2, 1], dims, feat_dim=BINS, embed_dim=SIZE),
        "gemini114": gemini.Gemini_DF_ResNet([3, 3, 27, 3], dims, feat_dim=BINS, embed_dim=SIZE),
    }


def drawn(model, seed):
    """Draws all parameters and statistics; returns the state dict."""
    g = torch.Generator().manual_seed(seed)
    for name, t in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            t.fill_(7)
        elif name.endswith("running_var"):
            t.copy_(0.5 + torch.rand(t.shape, generator=g))
        elif t.dim() == 1:
            t.copy_(name.endswith("weight") + 0.2 * torch.randn(t.shape, generator=g))
        else:
            t.copy_(torch.randn(t.shape, generator=g) * (2.0 / t[0].numel()) ** 0.5)
    return {name: t.clone() for name, t in model.state_dict().items()}


def main():
    out = pathlib.Path(sys.argv[2])
    features = torch.randn(UTTERANCES, FRAMES, BINS, generator=torch.Generator().manual_seed(1))
    answers = {"features": features}
    for name, model in networks(sys.argv[1]).items():
        state = drawn(model, 2)
        if name == "gemini":
            other = drawn(model, 3)
            state = {n: torch.true_divide(t + other[n], 2) for n, t in state.items()}
            model.load_state_dict(state)
            torch.save(state, out / f"{name}.pt")
        elif name == "gemini114":
            torch.save(state, out / f"{name}.pt")
        else:
            model.add_module("projection", torch.nn.Linear(SIZE, SPEAKERS, bias=False))
            model.projection.weight.data.fill_(0.5)
            parallel = torch.nn.DataParallel(model)
            torch.save(parallel.state_dict(), out / f"{name}.pt")
        model.double().eval()
        with torch.no_grad():
            answers[name] = model(features.double())[-1].clone()
    save_file(answers, out / "answers.safetensors")

    ramp = torch.arange(6).reshape(2, 3)
    types_ = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
    kinds = {t: ramp.to(getattr(torch, t)) for t in types_}
    whole = torch.arange(12.0)
    kinds |= {"part": whole[3:7], "row": whole.reshape(3, 4)[1:2].t()[:, :1].reshape(1, 4), "scalar": torch.tensor(5)}
    kinds |= {"parameter": torch.nn.Parameter(torch.tensor([1.5])), "none": torch.zeros(0, 3)}
    torch.save(kinds, out / "kinds.pt")
    torch.save({"even": whole[:4], "turned": whole.reshape(3, 4).t()}, out / "views.pt")
    torch.save({"a-1": whole[:3], "a-2": whole[3:6]}, out / "embeddings.pt")
    linear = torch.nn.Linear(2, 1)
    linear.load_state_dict({"weight": torch.ones(1, 2), "bias": torch.zeros(1)})
    torch.save(linear.state_dict(), out / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(linear, out / "whole.pt")
    torch.save({"model": linear.state_dict(), "epoch": 3}, out / "optimizer.pt")


if __name__ == "__main__":
    main()
