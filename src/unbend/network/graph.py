"""A network as unbend sees it: nodes in order, what is constant, and every tensor's shape for one row.

The network is looked at with a batch of one. Whatever then does not depend on the input is a constant, be it an
initializer or the end of a chain of Shape, Gather and Concat that an exporter wrote; its number is kept, and nodes that
only make constants are not nodes of the network. The file's own graph (`model`) stays as it was read, for writing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from unbend.affine import Shape
from unbend.errors import ModelError
from unbend.network.axes import Axes
from unbend.network.local import Operand, Reach

SPREADING = frozenset({"Gather", "Conv", "Expand", "Tile"})
"""Ops that make many numbers of few, once for all rows where what they read is constant."""


@dataclass(frozen=True)
class Port:
    """An input or an output of the network: its name, its declared shape (None for a free axis) and its type."""

    name: str
    shape: tuple[int | str | None, ...] | None
    dtype: np.dtype | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name} of unknown shape"
        axes = ", ".join("?" if axis is None else str(axis) for axis in self.shape)
        return f"{self.name} ({axes})"


@dataclass(frozen=True, eq=False)
class Node:
    """One operation: its type, its attributes, the names of the values it reads ("" for an absent one) and writes.

    `random` says why its output is random; it is empty where it is not.
    """

    op_type: str
    domain: str
    version: int
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    source: ir.Node | None = None
    random: str = ""

    @property
    def label(self) -> str:
        """How reports name it: its own name where it has one, else its output's."""
        return self.name or self.outputs[0]

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute's value, or `default` where the file leaves it out."""
        return self.attributes.get(name, default)


@dataclass(frozen=True, eq=False)
class Network:
    """A network: its inputs and outputs, nodes, constants and shapes, and the file's graph.

    `nodes` are in topological order and hold only what depends on an input. `shapes` are for a batch of one. `axes`
    says which axes of the inputs count rows and which are free; `features` and `classes` are the names that the file's
    metadata gives to the input's columns and to the output's. `path` is the file it was read from, `data` are those
    beside it; `given` makes the model again as it was, and `notes` say what it had to become to be read. Where lengths
    were put in for free axes, `elsewhere` gives the same network at others (`network.lengths`), and `lasting` are the
    constants at any. `examples` are rows of inputs that the user gave, (rows, *shape) each.
    """

    name: str
    model: ir.Model
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray]
    shapes: Mapping[str, Shape]
    types: Mapping[str, np.dtype]
    axes: Axes = field(default_factory=Axes)
    features: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    path: str | None = None
    data: tuple[Path, ...] = ()
    given: Callable[[], ir.Model] | None = None
    notes: tuple[str, ...] = ()
    elsewhere: tuple[Callable[[], Network | None], ...] = ()
    lasting: Mapping[str, np.ndarray] | None = None
    steady: Mapping[str, Shape] | None = None
    examples: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def input(self) -> Port:
        """The network's only input.

        Raises
        ------
        ModelError
            It has several; only `collapse` and `explain` take those.
        """
        only, *others = self.inputs
        if others:
            listed = "\n".join(map(str, self.inputs))
            raise ModelError(
                f"{self.name} has {len(self.inputs)} inputs; only collapse and explain take such a network",
                where=f"its inputs are\n{listed}",
                try_="export the network so that it takes one tensor (rows, columns), its inputs joined",
            )
        return only

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the network was read from: the model's own comes first."""
        return (*((Path(self.path),) if self.path else ()), *self.data)

    @property
    def batch(self) -> int | None:
        """How many rows a run takes: None for any number, else the fixed length of the first axis."""
        return self.axes.batch

    @property
    def free_axes(self) -> tuple[str, ...]:
        """The names of the free axes that do not count rows."""
        return tuple(self.axes.free)

    @property
    def output(self) -> Port:
        """The output that unbend speaks of (`read` puts it first)."""
        return self.outputs[0]

    @property
    def opset(self) -> int:
        """The version of the standard operators."""
        return self.model.graph.opset_imports.get("", 1)

    def dtype(self, name: str) -> np.dtype:
        """The type of a value; float32 where nothing is known of it."""
        return self.types.get(name, np.dtype(np.float32))

    def operand(self, name: str, value: np.ndarray | None = None) -> Operand:
        """The value called `name` as a node's input."""
        constant = self.constants.get(name)
        shape = constant.shape if constant is not None else self.shapes.get(name)
        if shape is None:
            from unbend.network.local import Unsupported

            raise Unsupported(f"the shape of {name} is not known")
        return Operand(name, tuple(shape), constant, value)

    def bytes_read(self, node: Node) -> int:
        """How many bytes the constants take that the node reads."""
        return sum(self.constants[name].nbytes for name in node.inputs if name in self.constants)

    def variable(self, name: str) -> bool:
        """Whether the value depends on the network's input."""
        return bool(name) and name not in self.constants

    def variable_inputs(self, node: Node) -> tuple[int, ...]:
        """Positions of the node's inputs that depend on the network's input."""
        return tuple(i for i, name in enumerate(node.inputs) if self.variable(name))

    def lasts(self, name: str) -> bool:
        """Whether the value has the same shape at every length of free axes."""
        return self.steady is None or name in self.steady

    def has_shapes(self, node: Node) -> bool:
        """Whether the shapes of all values around the node are known."""
        return all(name in self.shapes for name in (*node.inputs, *node.outputs) if self.variable(name))

    def reach(self, node: Node) -> Reach:
        """How far the node's affine map holds."""
        return self.reaches[node]

    @cached_property
    def reaches(self) -> dict[Node, Reach]:
        """How far each node's affine map holds; a node of an unknown op holds at the point."""
        from unbend.network.ops import reach_of

        return {node: reach_of(node, self.variable_inputs(node), self.constants) for node in self.nodes}

    @cached_property
    def bends(self) -> tuple[Node, ...]:
        """The nodes that are not affine in their variable inputs."""
        return tuple(node for node in self.nodes if self.reaches[node] != "everywhere")

    @cached_property
    def producers(self) -> dict[str, Node]:
        """The node that writes each value."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def readers(self) -> dict[str, tuple[Node, ...]]:
        """The nodes that read each value."""
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                readers.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    @cached_property
    def overridable(self) -> frozenset[str]:
        """Initializers that are inputs as well, so that a caller may replace them."""
        inputs = {value.name for value in self.model.graph.inputs}
        return frozenset(name for name in self.model.graph.initializers if name in inputs)

    @cached_property
    def quantised(self) -> frozenset[str]:
        """Constants that are computed from whole numbers by DequantizeLinear, and values that are rounded to such."""
        found: set[str] = set()
        for node in self.model.graph:
            read = [value.name or "" for value in node.inputs if value is not None]
            if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear"):
                found.update(read[:1])
            elif node.op_type == "DequantizeLinear" or found.intersection(read):
                found.update(name for value in node.outputs if (name := value.name or "") in self.constants)
        return frozenset(found)

    @cached_property
    def captured(self) -> frozenset[str]:
        """Values that a subgraph (of If, Loop or Scan) reads from outside."""
        return frozenset(name for node in self.nodes for name in captured_names(node))

    def numbers(self, name: str) -> int:
        """How many real numbers the constant called `name` holds; 0 for a value, a shape or an index.

        Of one that is looked up in a table, or convolved, once for all rows: those that it is made from, if fewer.
        """
        constant = self.constants.get(name)
        if constant is None or constant.dtype.kind in "iubSUO":
            return 0
        made_of = self._spread.get(name)
        return constant.size if made_of is None else min(constant.size, sum(map(self.numbers, made_of)))

    @cached_property
    def _spread(self) -> dict[str, list[str]]:
        """Constants that are made from fewer numbers, and from which."""
        nodes = [node for node in self.model.graph if node.op_type in SPREADING and node.outputs[0].name]
        return {node.outputs[0].name or "": [one.name or "" for one in node.inputs if one] for node in nodes}

    def stored(self, *nodes: Node, without: Collection[str] = ()) -> int:
        """How many numbers some nodes keep together, beside those called in `without`."""
        return sum(self.numbers(name) for name in {name for node in nodes for name in node.inputs}.difference(without))

    @property
    def parameters(self) -> int:
        """How many numbers the network keeps."""
        return self.stored(*self.nodes)


def captured_names(node: Node) -> set[str]:
    """Names that the node's subgraphs (If, Loop, Scan) read, from outside or inside."""
    return set() if node.source is None else captured_by(node.source)


def captured_by(node: ir.Node) -> set[str]:
    """The same for a node of the file's graph: what its subgraphs read, and what they give out as it is."""
    graphs = [graph for attribute in node.attributes.values() for graph in _subgraphs(attribute)]
    read = (value for graph in graphs for inner in graph.all_nodes() for value in inner.inputs)
    given = (value for graph in graphs for value in graph.outputs)
    return {value.name for value in (*read, *given) if value is not None and value.name}


def _subgraphs(attribute: ir.Attr) -> list[ir.Graph]:
    if attribute.type == ir.AttributeType.GRAPH:
        return [attribute.as_graph()]
    return list(attribute.as_graphs()) if attribute.type == ir.AttributeType.GRAPHS else []


def is_float(dtype: np.dtype) -> bool:
    """Whether the type is a floating-point one, bfloat16 among them."""
    return ir.DataType.from_numpy(dtype).is_floating_point()


def dtype_of(value: ir.Value) -> np.dtype | None:
    """NumPy's type of a value, or None where the file does not say."""
    return value.dtype.numpy() if value.dtype is not None else None


def port(value: ir.Value) -> Port:
    """An input or output of the file's graph as a `Port`."""
    shape = None if value.shape is None else tuple(a if isinstance(a, int) else a.value for a in value.shape)
    return Port(value.name or "", shape, dtype_of(value))
