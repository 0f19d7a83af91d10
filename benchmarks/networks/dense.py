"""Networks of linear layers: chains, heads, parallel projections, shared weights."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmarks.networks.case import case


def layers(widths: tuple[int, ...], relu_after: int | None = None) -> nn.Sequential:
    """Linear layers one after another, with one ReLU behind the layer of this number."""
    parts: list[nn.Module] = []
    for number, (inner, outer) in enumerate(pairwise(widths)):
        parts.append(nn.Linear(inner, outer))
        if number == relu_after:
            parts.append(nn.ReLU())
    return nn.Sequential(*parts)


@case("a1 linear 2-3-3-1", 2)
def small_linear() -> nn.Module:
    """Three layers and no bend."""
    return layers((2, 3, 3, 1))


@case("a2 linear 784-512³-10", 784, together=8)
def large_linear() -> nn.Module:
    """Four layers and no bend."""
    return layers((784, 512, 512, 512, 10))


@case("b1 2-3-3-1, one ReLU", 2)
def small_bent() -> nn.Module:
    """Three layers, a bend behind the first."""
    return layers((2, 3, 3, 1), relu_after=0)


@case("b2 784-512³-10, one ReLU", 784, together=8)
def large_bent() -> nn.Module:
    """Four layers, a bend behind the second."""
    return layers((784, 512, 512, 512, 10), relu_after=1)


@case("j LayerNorm + Linear", 64, 384)
def normed_linear() -> nn.Module:
    """The affine part of the normalization belongs to the linear layer."""
    norm = nn.LayerNorm(384)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, std=0.2)
    return nn.Sequential(norm, nn.Linear(384, 384))


@case("k bottleneck 768-64-768", 64, 768, trap=True)
def bottleneck() -> nn.Module:
    """A narrow waist: the product of the two matrices is six times larger than both."""
    return nn.Sequential(nn.Linear(768, 64), nn.Linear(64, 768), nn.ReLU())


class Projections(nn.Module):
    """Three linear layers that read the same value."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Gated, so that the three cannot be added up."""
        return torch.tanh(self.query(x)) * torch.sigmoid(self.key(x)) + self.value(x)


@case("l parallel QKV", 64, 384, trap=True)
def projections() -> nn.Module:
    """Packing the three into one matrix changes neither multiplications nor numbers."""
    return Projections(384)


@case("q GAP, fc, BN, fc", 512, 7, 7)
def head() -> nn.Module:
    """A classifier's head: the pooling, two linear layers and a normalization between them, no bend."""
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 512), nn.BatchNorm1d(512), nn.Linear(512, 100)
    )


class Shared(nn.Module):
    """One hidden value with two readers that share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.head = nn.Linear(256, 128), nn.Linear(128, 16)
        self.scale = nn.Parameter(torch.rand(128) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """The second reader sees the hidden value scaled."""
        hidden = self.base(x)
        return torch.relu(self.head(hidden)) + torch.tanh(self.head(hidden * self.scale))


@case("t shared weight, two readers", 16, 256)
def shared() -> nn.Module:
    """Both readers may take over the layer before them; the shared weight must not be changed for either."""
    return Shared()
