"""Merging by hand, as the authors of these blocks do it before deployment: kernels with their biases, added up."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = nn.BatchNorm1d | nn.BatchNorm2d


@dataclass(frozen=True)
class Kernel:
    """The weight of a convolution (out, in / groups, rows, columns) or a linear layer (out, in), and the bias."""

    weight: Tensor
    bias: Tensor

    def __add__(self, other: Kernel) -> Kernel:
        return Kernel(self.weight + other.weight, self.bias + other.bias)

    def scaled(self, scale: Tensor) -> Kernel:
        """The kernel with a factor for each of its outputs."""
        return Kernel(self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1)), self.bias * scale.reshape(-1))

    def then(self, norm: Norm) -> Kernel:
        """The kernel with a BatchNormalization behind it."""
        scale, shift = scale_and_shift(norm)
        scaled = self.scaled(scale)
        return Kernel(scaled.weight, scaled.bias + shift)

    def widened(self, size: int) -> Kernel:
        """The same kernel in the middle of a larger one."""
        rows, columns = ((size - one) // 2 for one in self.weight.shape[2:])
        return Kernel(F.pad(self.weight, (columns, columns, rows, rows)), self.bias)

    def conv(self, stride: int = 1, padding: int = 0, groups: int = 1) -> nn.Conv2d:
        """The convolution with this kernel."""
        out, inner, *size = self.weight.shape
        conv = nn.Conv2d(inner * groups, out, (size[0], size[1]), stride, padding, groups=groups)
        conv.weight, conv.bias = nn.Parameter(self.weight), nn.Parameter(self.bias)
        return conv

    def linear(self) -> nn.Linear:
        """The linear layer with this matrix."""
        linear = nn.Linear(self.weight.shape[1], self.weight.shape[0])
        linear.weight, linear.bias = nn.Parameter(self.weight), nn.Parameter(self.bias)
        return linear


def scale_and_shift(norm: Norm) -> tuple[Tensor, Tensor]:
    """BatchNormalization with fixed statistics is scale · x + shift."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def kernel_of(layer: nn.Conv2d | nn.Linear, norm: Norm | None = None) -> Kernel:
    """The kernel of a layer, with the BatchNormalization behind it if there is one."""
    bias = (
        layer.bias
        if layer.bias is not None
        else torch.zeros_like(layer.weight[:, 0].reshape(len(layer.weight), -1)[:, 0])
    )
    kernel = Kernel(layer.weight, bias)
    return kernel if norm is None else kernel.then(norm)


def identity(channels: int, groups: int, like: Tensor) -> Kernel:
    """The 1 × 1 convolution that passes its input on."""
    inner = channels // groups
    eye = torch.eye(inner, dtype=like.dtype).repeat(groups, 1)
    return Kernel(eye[:, :, None, None], torch.zeros(channels, dtype=like.dtype))


def by_hand(module: nn.Module) -> nn.Module | None:
    """The network with every block merged by its own method, in float64, then rounded; None if no block has one."""
    merged = in_double(module)
    return None if merged is None else merged.float()


@torch.no_grad()
def in_double(module: nn.Module) -> nn.Module | None:
    """The merged network, not yet rounded."""
    holder = nn.ModuleDict({"network": deepcopy(module).double().eval()})
    return holder["network"] if _merge(holder) else None


def _merge(module: nn.Module) -> int:
    merged = 0
    for name, child in list(module.named_children()):
        if callable(method := getattr(child, "merged", None)):
            module._modules[name] = method()
            merged += 1
        else:
            merged += _merge(child)
    return merged
