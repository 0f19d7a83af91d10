"""The windows of convolutions and pools, as torch has them and as it has not: the rest is padded or cut before them."""

from __future__ import annotations

from collections.abc import Sequence

import torch.fx
import torch.nn.functional

from unbend.affine import Pads
from unbend.network.graph import Node
from unbend.network.ops.convolution import Windows, windows_of
from unbend.network.to_torch.writer import Writer


def windows(writer: Writer, node: Node, kernel: Sequence[int]) -> Windows:
    """The node's windows; where they depend on a size, that has to be known."""
    image = writer.axes(node.inputs[0])[2:]
    if len(image) not in (1, 2, 3):
        raise writer.refusal(node, f"has windows along {len(image)} axes")
    free = [
        stride for size, stride in zip(image, node.attribute("strides", (1,) * len(image)), strict=True) if not size
    ]
    if "SAME" in node.attribute("auto_pad", "NOTSET") and any(stride > 1 for stride in free):
        raise writer.refusal(node, f"is padded by auto_pad={node.attribute('auto_pad')} at a stride and a free size")
    return windows_of(node, tuple(size or 1 for size in image), tuple(kernel))


def even(pads: Pads) -> bool:
    """Whether torch's own padding, the same on both sides, says them."""
    return all(before == after >= 0 for before, after in pads)


def before(pads: Pads) -> tuple[int, ...]:
    """The pad at the beginning of each axis."""
    return tuple(first for first, _ in pads)


def padded(writer: Writer, value: torch.fx.Node, pads: Sequence[tuple], fill: float = 0.0) -> torch.fx.Node:
    """A value with so much around its last axes, or cut off from them where a pad is negative."""
    flat = [side for pair in reversed(pads) for side in pair]
    return writer.call(torch.nn.functional.pad, value, flat, value=fill)
