"""FastViT-T8 (Vasu et al., 2023): mixers that are one depthwise convolution, large kernels, layer scales."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.networks.branches import Classifier, ConvNorm, Parallel
from benchmarks.networks.case import case
from benchmarks.networks.merging import Kernel, identity, scale_and_shift


def layer_scale(width: int) -> nn.Parameter:
    """A factor for each channel, as after training."""
    return nn.Parameter(torch.rand(width, 1, 1) * 0.4 + 0.1)


class Mixer(nn.Module):
    """x + s (mix(x) − normalize(x)), all of it linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = Parallel(width, width, 3, 1, width, bend=nn.Identity())
        self.norm = nn.BatchNorm2d(width)
        self.scale = layer_scale(width)

    def forward(self, x: Tensor) -> Tensor:
        """The mixed values."""
        return x + self.scale * (self.mix(x) - self.norm(x))

    def merged(self) -> nn.Conv2d:
        """One depthwise 3 × 3 convolution."""
        width, scale = len(self.scale), self.scale.reshape(-1)
        same = identity(width, width, self.scale)
        minus, shift = scale_and_shift(self.norm)
        norm = Kernel(same.scaled(minus).weight, shift).widened(3)
        rest = (self.mix.kernel() + norm.scaled(-torch.ones_like(scale))).scaled(scale)
        return (same.widened(3) + rest).conv(padding=1, groups=width)


class FeedForward(nn.Module):
    """Depthwise 7 × 7, 1 × 1, GELU, 1 × 1, with a layer scale, beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(width, width, 7, padding=3, groups=width)
        self.wide, self.narrow = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(3 * width, width, 1)
        self.scale = layer_scale(width)

    def forward(self, x: Tensor) -> Tensor:
        """X + s · layers(x)."""
        return x + self.scale * self.narrow(nn.functional.gelu(self.wide(self.depthwise(x))))


class LargeKernel(nn.Module):
    """Depthwise 7 × 7 + 3 × 3 of stride 2, twice as many channels."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.groups = inner
        self.large, self.small = (ConvNorm(inner, outer, size, 2, size // 2, inner) for size in (7, 3))

    def forward(self, x: Tensor) -> Tensor:
        """The sum of both, bent."""
        return nn.functional.gelu(self.large(x) + self.small(x))

    def merged(self) -> nn.Module:
        """One 7 × 7 convolution and the bend."""
        kernel = self.large.kernel() + self.small.kernel().widened(7)
        return nn.Sequential(kernel.conv(2, 3, self.groups), nn.GELU())


class Excitation(nn.Module):
    """x · sigmoid(fc(relu(fc(mean x))))."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The channels, weighted."""
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


def parallel(
    inner: int, outer: int, size: int, stride: int = 1, groups: int = 1, bend: nn.Module | None = None
) -> Parallel:
    """A block with a GELU; the 1 × 1 branch only beside a larger kernel."""
    return Parallel(inner, outer, size, stride, groups, pointwise=size > 1, bend=bend or nn.GELU())


@case("u1 FastViT-T8", 3, 112, 112)
def fastvit() -> nn.Module:
    """Widths 48, 96, 192, 384; depths 2, 2, 4, 2."""
    parts: list[nn.Module] = [parallel(3, 48, 3, 2), parallel(48, 48, 3, 2, 48), parallel(48, 48, 1)]
    widths = (48, 96, 192, 384)
    for stage, (width, depth) in enumerate(zip(widths, (2, 2, 4, 2), strict=True)):
        if stage:
            parts += [LargeKernel(widths[stage - 1], width), parallel(width, width, 1)]
        for _ in range(depth):
            parts += [Mixer(width), FeedForward(width)]
    wide = parallel(384, 768, 3, 1, 384, nn.Sequential(Excitation(768, 48), nn.GELU()))
    return nn.Sequential(*parts, wide, Classifier(768))
