"""RepViT-M1.0 (Wang et al., 2024): depthwise 3 × 3 + 1 × 1 + identity under one more BatchNormalization."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.networks.branches import ConvNorm
from benchmarks.networks.case import case
from benchmarks.networks.fastvit import Excitation
from benchmarks.networks.merging import Kernel, identity, kernel_of, scale_and_shift


class Depthwise(nn.Module):
    """normalize(3 × 3 + 1 × 1 + x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.full = ConvNorm(width, width, 3, padding=1, groups=width)
        self.point = nn.Conv2d(width, width, 1, groups=width)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """The three branches, normalized."""
        return self.norm(self.full(x) + self.point(x) + x)

    def merged(self) -> nn.Conv2d:
        """One depthwise 3 × 3 convolution."""
        width = len(self.norm.weight)
        same = identity(width, width, self.norm.weight)
        kernel = self.full.kernel() + kernel_of(self.point).widened(3) + same.widened(3)
        return kernel.then(self.norm).conv(padding=1, groups=width)


class FeedForward(nn.Module):
    """x + 1 × 1, GELU, 1 × 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide, self.narrow = ConvNorm(width, 2 * width), ConvNorm(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """With the shortcut."""
        return x + self.narrow(F.gelu(self.wide(x)))


class Head(nn.Module):
    """Two classifiers, each a BatchNormalization and a linear layer; the mean of both."""

    def __init__(self, width: int, classes: int = 1000) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(2))
        self.heads = nn.ModuleList(nn.Linear(width, classes) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """The mean of both, from pooled values."""
        x = x.mean((2, 3))
        return (self.heads[0](self.norms[0](x)) + self.heads[1](self.norms[1](x))) / 2

    def merged(self) -> nn.Module:
        """One linear layer behind the pooling."""
        whole = None
        for norm, head in zip(self.norms, self.heads, strict=True):
            scale, shift = scale_and_shift(norm)  # type: ignore[arg-type]
            kernel = kernel_of(head)  # type: ignore[arg-type]
            one = Kernel(kernel.weight * scale / 2, (kernel.bias + kernel.weight @ shift) / 2)
            whole = one if whole is None else whole + one
        assert whole is not None
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), whole.linear())


def block(width: int, *, excited: bool) -> list[nn.Module]:
    """Token mixer and channel mixer."""
    return [Depthwise(width), *([Excitation(width, width // 4)] if excited else []), FeedForward(width)]


@case("u2 RepViT-M1.0", 3, 112, 112)
def repvit() -> nn.Module:
    """Widths 56, 112, 224, 448; depths 2, 2, 14, 2."""
    parts: list[nn.Module] = [ConvNorm(3, 28, 3, 2, 1), nn.GELU(), ConvNorm(28, 56, 3, 2, 1)]
    inner = 56
    for width, depth in ((56, 2), (112, 2), (224, 14), (448, 2)):
        if width != inner:
            parts += block(inner, excited=False)
            parts += [ConvNorm(inner, inner, 3, 2, 1, inner), ConvNorm(inner, width), FeedForward(width)]
        for number in range(depth):
            parts += block(width, excited=number % 2 == 0)
        inner = width
    return nn.Sequential(*parts, Head(inner))
