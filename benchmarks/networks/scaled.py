"""Networks with affine layers around their linear ones: ResMLP-12, ConvNeXt-atto."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.networks.case import case


class Affine(nn.Module):
    """α x + β."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha, self.beta = nn.Parameter(torch.rand(width) + 0.5), nn.Parameter(torch.randn(width) * 0.2)

    def forward(self, x: Tensor) -> Tensor:
        """For each channel."""
        return self.alpha * x + self.beta


class Residual(nn.Module):
    """Token mixing without a bend, then a perceptron for each token; both with a layer scale and a shortcut."""

    def __init__(self, width: int, tokens: int) -> None:
        super().__init__()
        self.first, self.second = Affine(width), Affine(width)
        self.mix = nn.Linear(tokens, tokens)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scales = nn.ParameterList(torch.rand(width) * 0.4 + 0.1 for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """X + s₁ mix(x), then x + s₂ mlp(x)."""
        x = x + self.scales[0] * self.mix(self.first(x).transpose(1, 2)).transpose(1, 2)
        return x + self.scales[1] * self.narrow(F.gelu(self.wide(self.second(x))))


class ResMLP(nn.Module):
    """Patches, twelve blocks, mean, classifier."""

    def __init__(self, width: int = 384, tokens: int = 49, depth: int = 12) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.blocks = nn.Sequential(*(Residual(width, tokens) for _ in range(depth)))
        self.norm, self.head = Affine(width), nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Scores."""
        x = self.blocks(self.patches(x).flatten(2).transpose(1, 2))
        return self.head(self.norm(x).mean(1))


@case("v1 ResMLP-12", 3, 112, 112)
def resmlp() -> nn.Module:
    """Touvron et al. (2021); 7 × 7 patches instead of 14 × 14."""
    return ResMLP()


class ChannelNorm(nn.LayerNorm):
    """LayerNormalization of the channels of an image."""

    def forward(self, input: Tensor) -> Tensor:
        """Channels last and back."""
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """Depthwise 7 × 7, LayerNormalization, a perceptron with a layer scale; a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.rand(width) * 0.4 + 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Channels last inside."""
        inner = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.narrow(F.gelu(self.wide(inner)))).permute(0, 3, 1, 2)


@case("v2 ConvNeXt-atto", 3, 96, 96)
def convnext() -> nn.Module:
    """Liu et al. (2022); widths 40, 80, 160, 320; depths 2, 2, 6, 2."""
    parts: list[nn.Module] = [nn.Conv2d(3, 40, 4, 4), ChannelNorm(40)]
    inner = 40
    for width, depth in ((40, 2), (80, 2), (160, 6), (320, 2)):
        if width != inner:
            parts += [ChannelNorm(inner), nn.Conv2d(inner, width, 2, 2)]
        parts += [Block(width) for _ in range(depth)]
        inner = width
    network = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(320), nn.Linear(320, 1000))
    for norm in network.modules():
        if isinstance(norm, nn.LayerNorm):
            nn.init.uniform_(norm.weight, 0.5, 1.5)
            nn.init.normal_(norm.bias, std=0.2)
    return network
