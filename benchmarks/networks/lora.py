"""Low-rank adapters beside linear layers: W x + s B A x, not merged."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.networks.case import case
from benchmarks.networks.merging import Kernel, kernel_of

RANK = 8


class Adapted(nn.Module):
    """A linear layer with an adapter."""

    def __init__(self, inner: int, outer: int, scale: float = 2.0) -> None:
        super().__init__()
        self.base = nn.Linear(inner, outer)
        self.down, self.up = nn.Linear(inner, RANK, bias=False), nn.Linear(RANK, outer, bias=False)
        self.scale = scale
        nn.init.normal_(self.up.weight, std=0.05)

    def forward(self, x: Tensor) -> Tensor:
        """W x + b + s B A x."""
        return self.base(x) + self.up(self.down(x)) * self.scale

    def merged(self) -> nn.Linear:
        """W + s B A."""
        base = kernel_of(self.base)
        return Kernel(base.weight + self.scale * self.up.weight @ self.down.weight, base.bias).linear()


@case("h1 LoRA MLP", 32, 256)
def perceptron() -> nn.Module:
    """256-1024-256 with adapters of rank 8."""
    return nn.Sequential(Adapted(256, 1024), nn.GELU(), Adapted(1024, 256))


class Block(nn.Module):
    """A transformer block of which every linear layer has an adapter."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (Adapted(width, width) for _ in range(4))
        self.wide, self.narrow = Adapted(width, 4 * width), Adapted(4 * width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        for norm in (self.first, self.second):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.2)

    def attention(self, x: Tensor) -> Tensor:
        """Multi-head attention, written out."""
        _, tokens, width = x.shape
        split = [
            part(x).reshape(-1, tokens, self.heads, width // self.heads).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        ]
        scores = split[0] @ split[1].transpose(2, 3) * (width // self.heads) ** -0.5
        mixed = torch.softmax(scores, dim=-1) @ split[2]
        return self.out(mixed.transpose(1, 2).reshape(-1, tokens, width))

    def forward(self, x: Tensor) -> Tensor:
        """Pre-norm: x + attention, x + feed-forward."""
        x = x + self.attention(self.first(x))
        return x + self.narrow(F.gelu(self.wide(self.second(x))))


@case("h2 LoRA transformer block", 32, 256)
def transformer() -> nn.Module:
    """Width 256, four heads."""
    return Block(256, 4)
