"""Where the rows of a batch lie: along the first axis of a value, along another, or nowhere.

The network is looked at with a batch of one, where an axis of rows looks like any other of length one: to move it, or
to take the first row of all, looks like an identity. Whoever rewrites the network leaves nodes alone that do so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from unbend.network.graph import Network, Node
from unbend.network.inference import infer, values_of
from unbend.network.reference import run_node

ROWS = "unbend.rows"
"""What the batch axis is called while shapes are inferred."""

ALONG = frozenset({"CumSum", "Trilu", "Slice", "Pad", "Concat", "Tile", "Compress", "CenterCropPad"})
ALONG |= {"ScatterND", "ScatterElements", "GatherND", "GatherElements"}
"""Ops that act along axes that they are told, the first among them, and may leave its length as it was."""

SEVERAL = 3


@dataclass(frozen=True)
class Rows:
    """`first` says of values whose first axis is known, whether that counts the rows; `moved` are those which hold the
    rows along another axis, and whose first has length one for a single row."""

    first: Mapping[str, bool] = field(default_factory=dict)
    moved: frozenset[str] = frozenset()

    def stay(self, node: Node) -> bool:
        """Whether the rows lie along the first axis of all that varies around the node, or along none of any."""
        names = (*node.inputs, *node.outputs)
        return self.moved.isdisjoint(names) and len({self.first[name] for name in names if name in self.first}) < 2


def as_alone(network: Network, node: Node) -> bool:
    """Whether a node that may act along any axis makes of several rows what it makes of each; true of other nodes."""
    if network.batch is not None or node.op_type not in ALONG or node.source is None:
        return True
    if node.op_type == "Concat" and node.attribute("axis", 0) not in (0, -len(network.shapes.get(node.outputs[0], ()))):
        return True
    rng = np.random.default_rng(0)
    shapes = [network.shapes.get(name, ()) if network.variable(name) else None for name in node.inputs]
    if any(shape is not None and shape[:1] != (1,) for shape in shapes):
        return True
    known = [None if not name else network.constants.get(name) for name in node.inputs]
    several = [one if s is None else rng.normal(size=(SEVERAL, *s[1:])) for one, s in zip(known, shapes, strict=True)]
    together = run_node(node.source, several)
    for i in range(SEVERAL):
        row = [one if s is None or one is None else one[[i]] for one, s in zip(several, shapes, strict=True)]
        alone = run_node(node.source, row)
        if together is None or alone is None:
            return False
        if any(len(a) != SEVERAL or not np.array_equal(a[[i]], b) for a, b in zip(together, alone, strict=True)):
            return False
    return True


def rows_of(network: Network) -> Rows:
    """Where the rows lie in each value; nothing is said where a run takes a fixed number of them."""
    if network.batch is not None:
        return Rows()
    twin = network.model.clone()
    _name_rows(twin, network.axes.rows)
    infer(twin, values=True)
    first, moved = {}, set()
    for value in values_of(twin):
        name = value.name or ""
        if not value.shape or name in network.constants or network.shapes.get(name, ())[:1] != (1,):
            continue
        axis = value.shape[0]
        if isinstance(axis, int) or _name(axis) == ROWS:
            first[name] = not isinstance(axis, int)
        if _is_moved(value.shape, network.free_axes):
            moved.add(name)
    return Rows(first, frozenset(moved))


def _name_rows(model: ir.Model, rows: Mapping[str, int]) -> None:
    """Call the axis that counts rows by a name of its own, wherever the file states it."""
    own = {value.name: value.shape for value in model.graph.inputs if value.shape is not None and value.name in rows}
    symbols = {_name(shape[rows[name]]) for name, shape in own.items() if name is not None} - {None}
    for value in values_of(model):
        if value.shape is None:
            continue
        at = rows.get(value.name or "")
        value.shape = ir.Shape([ROWS if i == at or _name(a) in symbols else a for i, a in enumerate(value.shape)])


def _name(axis: int | ir.SymbolicDim) -> str | None:
    return None if isinstance(axis, int) else axis.value


def _is_moved(shape: ir.Shape, free: tuple[str, ...]) -> bool:
    """Whether an axis behind the first counts rows, or may: it is open, and none of the free axes."""
    first, *others = shape
    open_ = [_name(axis) for axis in others if not isinstance(axis, int)]
    return ROWS in open_ or (isinstance(first, int) and any(name not in free for name in open_ if name or not free))
