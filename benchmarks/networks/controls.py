"""Networks that are as small as they can be, or nearly: ResNet-18, MobileNetV2, a small DenseNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.networks.branches import Classifier
from benchmarks.networks.case import case
from benchmarks.networks.chains import ConvNormPlain


class Residual(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNormPlain(inner, outer, 3, stride, 1)
        self.second = ConvNormPlain(outer, outer, 3, 1, 1)
        same = inner == outer and stride == 1
        self.shortcut = nn.Identity() if same else ConvNormPlain(inner, outer, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Bent between the two and after the sum."""
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


@case("i ResNet-18", 3, 112, 112, trap=True)
def resnet() -> nn.Module:
    """He et al. (2016)."""
    stem = (ConvNormPlain(3, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    blocks, inner = [], 64
    for outer, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Residual(inner, outer, stride), Residual(outer, outer, 1)]
        inner = outer
    return nn.Sequential(*stem, *blocks, Classifier(512))


class Inverted(nn.Module):
    """1 × 1 to a large width, depthwise 3 × 3, 1 × 1 back without a bend."""

    def __init__(self, inner: int, outer: int, stride: int, times: int) -> None:
        super().__init__()
        wide = inner * times
        expand = [ConvNormPlain(inner, wide), nn.ReLU6()] if times > 1 else []
        depthwise = [ConvNormPlain(wide, wide, 3, stride, 1, wide), nn.ReLU6()]
        self.layers = nn.Sequential(*expand, *depthwise, ConvNormPlain(wide, outer))
        self.same = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        """With a shortcut where the shapes allow it."""
        return x + self.layers(x) if self.same else self.layers(x)


@case("z1 MobileNetV2", 3, 112, 112, trap=True)
def mobilenet() -> nn.Module:
    """Sandler et al. (2018)."""
    blocks, inner = [ConvNormPlain(3, 32, 3, 2, 1), nn.ReLU6()], 32
    settings = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    for times, outer, count, stride in settings:
        for number in range(count):
            blocks.append(Inverted(inner, outer, 1 if number else stride, times))
            inner = outer
    return nn.Sequential(*blocks, ConvNormPlain(320, 1280), nn.ReLU6(), Classifier(1280))


class Dense(nn.Module):
    """Normalize, bend, 1 × 1, normalize, bend, 3 × 3; joined to what came in."""

    def __init__(self, inner: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            ConvNormPlain(inner, 4 * growth),
            nn.ReLU(),
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[x, layers(x)]."""
        return torch.cat([x, self.layers(x)], 1)


@case("z2 DenseNet, small", 3, 32, 32, trap=True)
def densenet() -> nn.Module:
    """Three dense blocks of four layers, with pooled transitions. Huang et al. (2017)."""
    parts: list[nn.Module] = [nn.Conv2d(3, 32, 3, padding=1, bias=False)]
    width, growth = 32, 16
    for block in range(3):
        for _ in range(4):
            parts.append(Dense(width, growth))
            width += growth
        if block < 2:
            halved = nn.Conv2d(width, width // 2, 1, bias=False)
            parts += [nn.BatchNorm2d(width), nn.ReLU(), halved, nn.AvgPool2d(2)]
            width //= 2
    return nn.Sequential(*parts, nn.BatchNorm2d(width), nn.ReLU(), Classifier(width, 100))
