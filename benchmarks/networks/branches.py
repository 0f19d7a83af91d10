"""Blocks of parallel convolutions that are one convolution at inference: RepVGG, MobileOne, ACNet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn

from benchmarks.networks.case import case
from benchmarks.networks.merging import Kernel, identity, kernel_of


class ConvNorm(nn.Sequential):
    """A convolution without a bias, and BatchNormalization."""

    def __init__(
        self, inner: int, outer: int, size: int = 1, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(inner, outer, size, stride, padding, groups=groups, bias=False), nn.BatchNorm2d(outer)
        )
        self.stride, self.padding, self.groups = stride, padding, groups

    def kernel(self) -> Kernel:
        """Both as one."""
        return kernel_of(self[0], self[1])  # type: ignore[arg-type]

    def merged(self) -> nn.Conv2d:
        """Both as one."""
        return self.kernel().conv(self.stride, self.padding, self.groups)


class Parallel(nn.Module):
    """Σ convolutions (k × k and 1 × 1) + BatchNormalization of the input: one k × k convolution, then a bend."""

    def __init__(
        self,
        inner: int,
        outer: int,
        size: int,
        stride: int = 1,
        groups: int = 1,
        *,
        copies: int = 1,
        pointwise: bool = True,
        skip: bool = True,
        bend: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.size, self.stride, self.groups = size, stride, groups
        branches = [ConvNorm(inner, outer, size, stride, size // 2, groups) for _ in range(copies)]
        if pointwise:
            branches.append(ConvNorm(inner, outer, 1, stride, 0, groups))
        self.branches = nn.ModuleList(branches)
        self.skip = nn.BatchNorm2d(outer) if skip and inner == outer and stride == 1 else None
        self.bend = nn.ReLU() if bend is None else bend

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the branches, bent."""
        terms = [branch(x) for branch in self.branches] + ([] if self.skip is None else [self.skip(x)])
        return self.bend(reduce(add, terms))

    def kernel(self) -> Kernel:
        """The branches as one."""
        kernels = [branch.kernel() for branch in self.branches]  # type: ignore[operator]
        if self.skip is not None:
            kernels.append(identity(len(self.skip.weight), self.groups, self.skip.weight).then(self.skip))
        return reduce(add, [one.widened(self.size) for one in kernels])

    def conv(self) -> nn.Conv2d:
        """The branches as one layer."""
        return self.kernel().conv(self.stride, self.size // 2, self.groups)

    def merged(self) -> nn.Module:
        """One convolution and the bend."""
        return nn.Sequential(self.conv(), self.bend)


class Classifier(nn.Sequential):
    """Global pooling and a linear layer."""

    def __init__(self, channels: int, classes: int = 1000) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


@case("c RepVGG-A0", 3, 112, 112)
def repvgg() -> nn.Module:
    """22 blocks of 3 × 3 + 1 × 1 + identity. Ding et al. (2021)."""
    blocks, inner = [Parallel(3, 48, 3, 2)], 48
    for outer, count in ((48, 2), (96, 4), (192, 14), (1280, 1)):
        for number in range(count):
            blocks.append(Parallel(inner, outer, 3, 1 if number else 2))
            inner = outer
    return nn.Sequential(*blocks, Classifier(inner))


def separable(inner: int, outer: int, stride: int, copies: int) -> list[Parallel]:
    """A depthwise block and a pointwise one."""
    depthwise = Parallel(inner, inner, 3, stride, inner, copies=copies)
    return [depthwise, Parallel(inner, outer, 1, copies=copies, pointwise=False)]


@case("d MobileOne-S0", 3, 112, 112)
def mobileone() -> nn.Module:
    """Four copies of every convolution. Vasu et al. (2023)."""
    blocks, inner = [Parallel(3, 48, 3, 2)], 48
    for outer, count in ((48, 2), (128, 8), (256, 10), (1024, 1)):
        for number in range(count):
            blocks += separable(inner, outer, 1 if number else 2, copies=4)
            inner = outer
    return nn.Sequential(*blocks, Classifier(inner))


class Asymmetric(nn.Module):
    """3 × 3 + 3 × 1 + 1 × 3, each with its BatchNormalization."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        sizes = ((3, 3), (3, 1), (1, 3))
        self.convolutions = nn.ModuleList(_convolution(inner, outer, size) for size in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outer) for _ in sizes)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the branches, bent."""
        pairs = zip(self.convolutions, self.norms, strict=True)
        return torch.relu(reduce(add, [norm(convolution(x)) for convolution, norm in pairs]))

    def merged(self) -> nn.Module:
        """One 3 × 3 convolution."""
        pairs = zip(self.convolutions, self.norms, strict=True)
        kernels = [kernel_of(convolution, norm).widened(3) for convolution, norm in pairs]  # type: ignore[arg-type]
        return nn.Sequential(reduce(add, kernels).conv(padding=1), nn.ReLU())


def _convolution(inner: int, outer: int, size: Sequence[int]) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, (size[0], size[1]), padding=(size[0] // 2, size[1] // 2), bias=False)


@case("f ACNet", 32, 28, 28)
def acnet() -> nn.Module:
    """Four asymmetric blocks. Ding et al. (2019)."""
    return nn.Sequential(Asymmetric(32, 64), *(Asymmetric(64, 64) for _ in range(3)))
