"""Diverse branch blocks (Ding et al., 2021): k × k, 1 × 1, 1 × 1 – k × k and 1 × 1 – mean, added up.

The border that the inner 1 × 1 leaves is not zero but what its BatchNormalization makes of zero, so that the branch
stays one convolution; it is written into the padded tensor row by row and column by column.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.networks.branches import ConvNorm
from benchmarks.networks.case import case
from benchmarks.networks.merging import Kernel, identity, kernel_of, scale_and_shift


class NormAndPad(nn.BatchNorm2d):
    """BatchNormalization, and a border of what it makes of zero."""

    def forward(self, input: Tensor) -> Tensor:
        """The normalized values within a border one wide."""
        padded = F.pad(super().forward(input), (1, 1, 1, 1))
        border = scale_and_shift(self)[1].detach()[None, :, None, None]
        padded[:, :, :1, :] = border
        padded[:, :, -1:, :] = border
        padded[:, :, :, :1] = border
        padded[:, :, :, -1:] = border
        return padded


class FromIdentity(nn.Conv2d):
    """A 1 × 1 convolution that learns what differs from the identity."""

    def whole(self) -> Tensor:
        """Its weight with the identity."""
        return self.weight + identity(self.out_channels, 1, self.weight).weight

    def forward(self, input: Tensor) -> Tensor:
        """The convolution with the whole weight."""
        return F.conv2d(input, self.whole())


class Diverse(nn.Module):
    """Four branches and a ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.full = ConvNorm(width, width, 3, padding=1)
        self.point = ConvNorm(width, width)
        self.before_mean, self.border_of_mean = nn.Conv2d(width, width, 1, bias=False), NormAndPad(width)
        self.after_mean = nn.BatchNorm2d(width)
        self.before_full, self.border_of_full = FromIdentity(width, width, 1, bias=False), NormAndPad(width)
        self.chained = ConvNorm(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the branches, bent."""
        mean = self.after_mean(F.avg_pool2d(self.border_of_mean(self.before_mean(x)), 3, 1))
        chained = self.chained(self.border_of_full(self.before_full(x)))
        return torch.relu(self.full(x) + self.point(x) + mean + chained)

    def merged(self) -> nn.Module:
        """One 3 × 3 convolution and the ReLU."""
        width = self.full[0].out_channels
        ninth = torch.eye(width, dtype=self.before_mean.weight.dtype)[:, :, None, None].expand(-1, -1, 3, 3) / 9
        mean = Kernel(ninth, torch.zeros_like(ninth[:, 0, 0, 0])).then(self.after_mean)
        inner = Kernel(self.before_full.whole(), torch.zeros_like(ninth[:, 0, 0, 0])).then(self.border_of_full)
        branches = [
            self.full.kernel(),
            self.point.kernel().widened(3),
            _after(kernel_of(self.before_mean, self.border_of_mean), mean),
            _after(inner, self.chained.kernel()),
        ]
        return nn.Sequential(reduce(add, branches).conv(padding=1), nn.ReLU())


def _after(pointwise: Kernel, full: Kernel) -> Kernel:
    """A 1 × 1 convolution and a k × k one behind it, as one."""
    weight = torch.einsum("omhw,mi->oihw", full.weight, pointwise.weight[:, :, 0, 0])
    return Kernel(weight, full.bias + full.weight.sum((2, 3)) @ pointwise.bias)


@case("e DBB", 32, 28, 28)
def diverse() -> nn.Module:
    """Four blocks of width 32."""
    return nn.Sequential(*(Diverse(32) for _ in range(4)))
