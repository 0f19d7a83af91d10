"""ExpandNets (Guo et al., 2020): every convolution as 1 × 1, k × k, 1 × 1 of four times the width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.networks.case import case
from benchmarks.networks.merging import Kernel

TIMES = 4


class Expanded(nn.Module):
    """A 3 × 3 convolution in three layers; its padding is the first's, where it is exact, or the second's."""

    def __init__(self, inner: int, outer: int, *, pad_first: bool) -> None:
        super().__init__()
        wide, narrow = TIMES * inner, TIMES * outer
        self.first = nn.Conv2d(inner, wide, 1, padding=int(pad_first))
        self.middle = nn.Conv2d(wide, narrow, 3, padding=int(not pad_first))
        self.last = nn.Conv2d(narrow, outer, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The three layers and a ReLU."""
        return torch.relu(self.last(self.middle(self.first(x))))


class ExactlyExpanded(Expanded):
    """With the padding in the first layer it is one convolution."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__(inner, outer, pad_first=True)

    def merged(self) -> nn.Module:
        """One 3 × 3 convolution and the ReLU."""
        first, middle, last = self.first, self.middle, self.last
        assert first.bias is not None
        assert middle.bias is not None
        assert last.bias is not None
        down, up = first.weight[:, :, 0, 0], last.weight[:, :, 0, 0]
        weight = torch.einsum("pn,nmhw,mi->pihw", up, middle.weight, down)
        inner = middle.bias + middle.weight.sum((2, 3)) @ first.bias
        return nn.Sequential(Kernel(weight, up @ inner + last.bias).conv(padding=1), nn.ReLU())


@case("g1 ExpandNet, exact padding", 3, 28, 28)
def exact() -> nn.Module:
    """Three expanded convolutions."""
    return nn.Sequential(ExactlyExpanded(3, 16), ExactlyExpanded(16, 32), ExactlyExpanded(32, 64))


@case("g2 ExpandNet, bias before the padding", 3, 28, 28)
def biased() -> nn.Module:
    """Two; at the border the bias of the first layer is missing, so that no convolution is equal to the three."""
    return nn.Sequential(Expanded(3, 16, pad_first=False), Expanded(16, 32, pad_first=False))


@case("g3 ExpandNet, bias before the padding, any size", 3, 28, 28, free=True)
def biased_at_any_size() -> nn.Module:
    """The same for every height and width: no map of the border can be stored."""
    return biased()
