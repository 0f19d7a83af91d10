"""RepGhostNet at half width (Chen et al., 2022): a depthwise convolution beside a BatchNormalization of its input."""

from __future__ import annotations

from torch import Tensor, nn

from benchmarks.networks.branches import Classifier, ConvNorm
from benchmarks.networks.case import case
from benchmarks.networks.fastvit import Excitation
from benchmarks.networks.merging import Kernel, identity

SETTINGS = (
    # kernel, inner width, outer width, excited, stride
    (3, 8, 16, False, 1),
    (3, 24, 24, False, 2),
    (3, 36, 24, False, 1),
    (5, 36, 40, True, 2),
    (5, 60, 40, True, 1),
    (3, 120, 80, False, 2),
    (3, 100, 80, False, 1),
    (3, 92, 80, False, 1),
    (3, 92, 80, False, 1),
    (3, 240, 112, True, 1),
    (3, 336, 112, True, 1),
    (5, 336, 160, True, 2),
    (5, 480, 160, False, 1),
    (5, 480, 160, True, 1),
    (5, 480, 160, False, 1),
    (5, 480, 160, True, 1),
)


class Cheap(nn.Module):
    """normalize(depthwise 3 × 3) + normalize(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise, self.norm = ConvNorm(width, width, 3, 1, 1, width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both."""
        return self.depthwise(x) + self.norm(x)

    def merged(self) -> nn.Conv2d:
        """One depthwise 3 × 3 convolution."""
        width = len(self.norm.weight)
        same: Kernel = identity(width, width, self.norm.weight).then(self.norm)
        return (self.depthwise.kernel() + same.widened(3)).conv(padding=1, groups=width)


def ghost(inner: int, outer: int, *, bent: bool) -> list[nn.Module]:
    """1 × 1, ReLU, the cheap part."""
    bend = [nn.ReLU()] if bent else []
    return [ConvNorm(inner, outer), *bend, Cheap(outer), *bend]


class Bottleneck(nn.Module):
    """A ghost module to the inner width, one back, and a shortcut."""

    def __init__(self, inner: int, wide: int, outer: int, size: int, stride: int, *, excited: bool) -> None:
        super().__init__()
        down = [ConvNorm(wide, wide, size, stride, size // 2, wide)] if stride > 1 else []
        excitation = [Excitation(wide, max(wide // 4, 4))] if excited else []
        self.layers = nn.Sequential(*ghost(inner, wide, bent=True), *down, *excitation, *ghost(wide, outer, bent=False))
        same = inner == outer and stride == 1
        depthwise = ConvNorm(inner, inner, size, stride, size // 2, inner)
        self.shortcut = nn.Identity() if same else nn.Sequential(depthwise, ConvNorm(inner, outer))

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both."""
        return self.layers(x) + self.shortcut(x)


@case("u3 RepGhostNet-0.5", 3, 112, 112)
def repghost() -> nn.Module:
    """16 bottlenecks."""
    parts: list[nn.Module] = [ConvNorm(3, 8, 3, 2, 1), nn.ReLU()]
    inner = 8
    for size, wide, outer, excited, stride in SETTINGS:
        parts.append(Bottleneck(inner, wide // 2, outer // 2, size, stride, excited=excited))
        inner = outer // 2
    last = (ConvNorm(inner, 480), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(480, 1280, 1), nn.ReLU())
    return nn.Sequential(*parts, *last, Classifier(1280))
