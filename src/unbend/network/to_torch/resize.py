"""Resize, where torch's interpolation is the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch.nn.functional

from unbend.network.graph import Node
from unbend.network.ops import real
from unbend.network.ops.resize import WITH_PLACES
from unbend.network.to_torch import writes
from unbend.network.to_torch.lengths import size_of
from unbend.network.to_torch.writer import Writer

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
CENTRED = ("half_pixel", "pytorch_half_pixel")


@writes("Upsample", "Resize")
def resize(writer: Writer, node: Node) -> Any:
    """y_i = Σ w_ij x_j along each axis behind the channels, with torch's own weights."""
    if node.op_type == "Upsample" or node.version < WITH_PLACES:
        node = replace(node, inputs=(node.inputs[0], "", *node.inputs[1:]), attributes=_of_old(node))
    rank = len(writer.axes(node.inputs[0]))
    factors, sizes = _targets(writer, node, rank)
    if node.version < WITH_PLACES and factors is not None and min(factors) < 1:
        raise writer.refusal(node, "takes pixels by the place behind them, as it shrinks in an old opset")
    how = _mode(writer, node, rank - 2, factors)
    if sizes is not None:
        return writer.call(torch.nn.functional.interpolate, writer.value(node.inputs[0]), tuple(sizes), **how)
    return writer.call(
        torch.nn.functional.interpolate, writer.value(node.inputs[0]), scale_factor=tuple(factors or ()), **how
    )


def _targets(writer: Writer, node: Node, rank: int) -> tuple[list[float] | None, list[Any] | None]:
    """The factors of the axes behind the channels, or their new lengths."""
    axes = [axis % rank for axis in node.attribute("axes", range(rank))]
    scales = writer.constant(node, 2) if "scales" not in node.attributes else np.array(node.attribute("scales"))
    if scales is not None and scales.size:
        by_axis = dict.fromkeys(range(rank), 1.0) | dict(zip(axes, scales.tolist(), strict=True))
        if by_axis[0] == by_axis[1] == 1.0:
            return [by_axis[axis] for axis in range(2, rank)], None
    elif node.attribute("keep_aspect_ratio_policy", "stretch") == "stretch" and (given := writer.numbers(node, 3)):
        own = {axis: size_of(writer, node.inputs[0], axis) for axis in range(rank)}
        new = own | dict(zip(axes, given, strict=True))
        if new[0] == own[0] and new[1] == own[1]:
            return None, [new[axis] for axis in range(2, rank)]
    raise writer.refusal(node, "stretches rows or channels, or keeps the ratio of its sides")


def _of_old(node: Node) -> dict[str, Any]:
    """What the attributes of an Upsample, or of an old Resize, are in newer opsets: the pixel before is the nearest."""
    mode = "nearest" if node.attribute("mode", "nearest") == "nearest" else "linear"
    how = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return {**how, **({"scales": node.attribute("scales")} if "scales" in node.attributes else {})}


def _mode(writer: Writer, node: Node, axes: int, factors: list[float] | None) -> dict[str, Any]:
    """torch's arguments for the same weights."""
    mode, places = node.attribute("mode", "nearest"), node.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = node.attribute("nearest_mode", "round_prefer_floor")
    odd = node.attribute("antialias", 0) or node.attribute("exclude_outside", 0)
    if mode == "nearest" and places == "asymmetric" and rounding == "floor" and not odd:
        return {"mode": "nearest"}
    whole = factors is not None and all(factor == int(factor) for factor in factors)
    near = rounding == "round_prefer_ceil" or (rounding == "round_prefer_floor" and whole)  # no pixel lies half-way
    if mode == "nearest" and places in CENTRED and near and not odd:
        return {"mode": "nearest-exact"}
    smooth = {"linear": LINEAR.get(axes, ""), "cubic": "bicubic" if axes == 2 else ""}.get(mode, "")
    if mode == "cubic" and real(node, "cubic_coeff_a", -0.75) != -0.75:
        smooth = ""
    if smooth and not odd and places in (*CENTRED, "align_corners"):
        return {"mode": smooth, "align_corners": places == "align_corners"}
    raise writer.refusal(node, f"takes pixels by {mode}, {places}, {rounding}")
