"""Short convolutional stretches, some of which pay and some of which do not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.networks.case import case
from benchmarks.networks.merging import Kernel, kernel_of


@case("m strided, dilated, grouped chain", 3, 56, 56)
def chain() -> nn.Module:
    """Three stretches of two convolutions: 3 × 3 stride 2 – 1 × 1, 1 × 1 – dilated 3 × 3, grouped 3 × 3 – 2 × 2."""
    return nn.Sequential(
        ConvNormPlain(3, 32, 3, 2, 1),
        ConvNormPlain(32, 32),
        nn.ReLU(),
        nn.Conv2d(32, 32, 1, bias=False),
        nn.Conv2d(32, 64, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1, groups=4),
        nn.Conv2d(64, 64, 2, 2, groups=4),
        nn.ReLU(),
    )


class ConvNormPlain(nn.Sequential):
    """A convolution and BatchNormalization, for a network that nobody merges by hand."""

    def __init__(
        self, inner: int, outer: int, size: int = 1, stride: int = 1, padding: int = 0, groups: int = 1
    ) -> None:
        conv = nn.Conv2d(inner, outer, size, stride, padding, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outer))


class Preprocessed(nn.Module):
    """(x / 255 − mean) / std, and a padded convolution behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])
        self.conv = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(32)

    def forward(self, x: Tensor) -> Tensor:
        """Normalized, convolved, bent."""
        return torch.relu(self.norm(self.conv((x / 255 - self.mean) / self.std)))


@case("n (x/255 − mean)/std, padded conv", 3, 112, 112, images=True)
def preprocessed() -> nn.Module:
    """The scale may join the kernel; the mean may not, because of the border."""
    return Preprocessed()


class Implicit(nn.Module):
    """YOLOv7's implicit knowledge: a learned shift before a 1 × 1 convolution and a learned scale behind it."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(1, inner, 1, 1) * 0.1)
        self.conv = nn.Conv2d(inner, outer, 1)
        self.scale = nn.Parameter(1 + torch.randn(1, outer, 1, 1) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """m · conv(x + a)."""
        return self.scale * self.conv(x + self.shift)

    def merged(self) -> nn.Conv2d:
        """One 1 × 1 convolution."""
        kernel = kernel_of(self.conv)
        bias = kernel.bias + kernel.weight[:, :, 0, 0] @ self.shift.reshape(-1)
        return Kernel(kernel.weight, bias).scaled(self.scale).conv()


@case("o YOLOv7 implicit head", 128, 20, 20)
def implicit() -> nn.Module:
    """With the sigmoid of the detector behind it."""
    return nn.Sequential(Implicit(128, 255), nn.Sigmoid())


class Inception(nn.Module):
    """1 × 1, 3 × 3 and pooled branches side by side, and a 1 × 1 convolution over all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.point, self.full = nn.Conv2d(64, 32, 1), nn.Conv2d(64, 32, 3, padding=1)
        self.pool = nn.AvgPool2d(3, 1, 1)
        self.mix = nn.Conv2d(128, 64, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Joined, mixed, bent."""
        return torch.relu(self.mix(torch.cat([self.point(x), self.full(x), self.pool(x)], 1)))


@case("p Inception concat, 1 × 1", 64, 28, 28, trap=True)
def inception() -> nn.Module:
    """One 3 × 3 convolution is equal, and has more multiplications."""
    return Inception()


@case("r MobileNetV2 project, expand", 32, 28, 28, trap=True)
def waist() -> nn.Module:
    """A linear waist between two depthwise blocks: its product is larger than both."""
    depthwise = (nn.Conv2d(96, 96, 3, padding=1, groups=96, bias=False), nn.BatchNorm2d(96), nn.ReLU6())
    return nn.Sequential(
        ConvNormPlain(32, 96),
        *depthwise,
        ConvNormPlain(96, 24),
        ConvNormPlain(24, 96),
        nn.ReLU6(),
        ConvNormPlain(96, 96, 3, 1, 1, 96),
        nn.ReLU6(),
    )


@case("s depthwise, pointwise, no bend", 64, 28, 28, trap=True)
def separable() -> nn.Module:
    """Separable on purpose: the full kernel has eight times the multiplications."""
    return nn.Sequential(ConvNormPlain(64, 64, 3, 1, 1, 64), ConvNormPlain(64, 128), nn.ReLU())
