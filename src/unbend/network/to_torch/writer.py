"""The module under construction: its graph call by call, its layers, and what is known of the network's values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.fx

from unbend.errors import ModelError
from unbend.network.fold import PartialShape, fold
from unbend.network.graph import Network, Node, is_float
from unbend.network.lengths import at_lengths
from unbend.network.reference import run_node
from unbend.network.to_torch import table
from unbend.network.to_torch.lengths import Number, counted
from unbend.network.to_torch.names import Parts, name_of, path_of


@dataclass
class Writer:
    """Writes the graph, node by node.

    `values` are torch.fx nodes by the name of the value, `constants` are those of any batch and any length, and
    `lengths` are arrays of whole numbers that count: what is known is a number, what depends on the input a torch.fx
    node. `partial` are the shapes, None for a free axis.
    """

    network: Network
    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    partial: dict[str, PartialShape]
    parts: Parts = field(default_factory=Parts)
    graph: torch.fx.Graph = field(default_factory=torch.fx.Graph)
    values: dict[str, torch.fx.Node] = field(default_factory=dict)
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    shared: list[tuple[np.ndarray, torch.nn.Parameter]] = field(default_factory=list)

    @classmethod
    def of(cls, network: Network) -> Writer:
        """With all that is known of the network for any number of rows."""
        found = fold(network.model, network.name, {})
        axes: dict[str, PartialShape] = {}
        for known in (at_lengths(network).shapes, network.shapes):
            axes.update({name: (None,) * len(shape) for name, shape in known.items()})
        return cls(network, found.nodes, dict(found.constants), {**axes, **found.partial})

    def module(self) -> torch.fx.GraphModule:
        """All of the network."""
        for port in self.network.inputs:
            self.values[port.name] = self.graph.placeholder(self.parts.fresh(name_of(port.name)))
        for node in self.nodes:
            if not any(name in self for name in node.outputs):
                self._write(node)
        outputs = tuple(self.value(value.name or "") for value in self.network.model.graph.outputs)
        self.graph.output(outputs[0] if len(outputs) == 1 else outputs)
        self.graph.lint()
        module = torch.fx.GraphModule(self.parts.root, self.graph, "Collapsed").eval()
        module.graph.eliminate_dead_code()  # lengths that turned out to be needless, and layers that only gave those
        module.delete_all_unused_submodules()
        module.recompile()
        return module

    def __contains__(self, name: str) -> bool:
        return name in self.values or name in self.constants or name in self.lengths

    def _write(self, node: Node) -> None:
        if self._is_constant(node) or counted(self, node):
            return
        if node.op_type not in table():
            raise self.refusal(node, "reads numbers where torch layers take lengths")
        made = table()[node.op_type](self, node)
        made = made if isinstance(made, list) else [made]
        self.values.update({name: one for name, one in zip(node.outputs, made, strict=False) if one is not None})

    def _is_constant(self, node: Node) -> bool:
        """Whether the node makes constants of constants, once lengths are known; it is run then."""
        if node.source is None or not all(name in self.constants for name in node.inputs if name):
            return False
        made = run_node(node.source, [self.constants.get(name) for name in node.inputs])
        self.constants.update({name: one for name, one in zip(node.outputs, made or [], strict=False) if name})
        return made is not None

    # What a value is.

    def value(self, name: str) -> torch.fx.Node:
        """A tensor that was made before, or a constant as a buffer."""
        if name in self.values:
            return self.values[name]
        if name in self.lengths:
            self.values[name] = self.call(torch.tensor, self.lengths[name].tolist(), device=self.device)
        elif name in self.constants:
            self.values[name] = self.graph.get_attr(self.parts.add_buffer(name, self.tensor(self.constants[name])))
        else:
            raise ModelError(
                f"no torch layer gives {name or 'a value without a name'} of {self.network.name}",
                where=f"{self.producer(name)} makes it",
                try_="save it as an .onnx file instead, and run it with onnxruntime",
            )
        return self.values[name]

    def producer(self, name: str) -> str:
        """The node that makes a value, for messages."""
        node = self.network.producers.get(name)
        return "nothing" if node is None else f"{node.op_type} {node.label}"

    def operand(self, node: Node, position: int) -> Any:
        """An input of an element-wise op: a single number as it is, beside a tensor of as many axes or more."""
        name, others = node.inputs[position], [*node.inputs[:position], *node.inputs[position + 1 :]]
        constant = self.constants.get(name)
        beside = [one for one in others if one and one not in self.constants]
        if constant is None or constant.size != 1 or constant.dtype.kind == "b" or not beside:
            return self.value(name)
        if constant.ndim > max((len(axes) for one in beside if (axes := self.known(one)) is not None), default=0):
            return self.value(name)
        return int(constant.item()) if constant.dtype.kind in "iu" else float(constant.reshape(()))

    def constant(self, node: Node, position: int) -> np.ndarray | None:
        """The constant that the node reads there; None where it reads none."""
        name = self.input(node, position)
        if name and name not in self.constants:
            raise self.refusal(node, "computes its parameters")
        return self.constants[name] if name else None

    def numbers(self, node: Node, position: int) -> list[Number] | None:
        """The lengths, or other whole numbers, that the node reads there; None where it reads none."""
        name = self.input(node, position)
        if not name:
            return None
        if name not in self.constants and name not in self.lengths:
            raise self.refusal(node, "computes a shape from numbers")
        found = self.lengths[name] if name in self.lengths else self.constants[name]
        return np.atleast_1d(found).tolist()

    def input(self, node: Node, position: int) -> str:
        """The name of the value that the node reads there; empty where it reads none."""
        return node.inputs[position] if position < len(node.inputs) else ""

    def known(self, name: str) -> PartialShape | None:
        """The lengths of a value's axes, None for free ones; None where not even their number is known."""
        return self.constants[name].shape if name in self.constants else self.partial.get(name)

    def type_of(self, name: str) -> np.dtype | None:
        """The type of a value, where the network says it."""
        return self.constants[name].dtype if name in self.constants else self.network.types.get(name)

    def axes(self, name: str) -> PartialShape:
        """The same as `known`; ModelError where nothing is known."""
        found = self.known(name)
        if found is None:
            raise ModelError(
                f"the shape of {name} is not known: no torch layer is written for it",
                where=f"{self.producer(name)} makes it",
                try_="save it as an .onnx file instead, and run it with onnxruntime",
            )
        return found

    def readers(self, name: str) -> list[Node]:
        """The nodes that read a value."""
        return [node for node in self.nodes if name in node.inputs]

    def is_output(self, name: str) -> bool:
        """Whether the network gives the value out."""
        return any(value.name == name for value in self.network.model.graph.outputs)

    def refusal(self, node: Node, does: str) -> ModelError:
        """What is raised for a node that no torch layer computes; `does` says what it does."""
        return ModelError(
            f"{node.op_type} {node.label} {does}; no torch layer does that",
            where=f"in {self.network.name}",
            try_="save it as an .onnx file instead, and run it with onnxruntime",
        )

    # What is written.

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> torch.fx.Node:
        """A call of a function."""
        return self.graph.call_function(function, arguments, named)

    def method(self, name: str, *arguments: Any, **named: Any) -> torch.fx.Node:
        """A call of a tensor's method; the tensor comes first."""
        return self.graph.call_method(name, arguments, named)

    @property
    def device(self) -> torch.fx.Node:
        """Where the first input lies."""
        return self.call(getattr, self.values[self.network.inputs[0].name], "device")

    def layer(
        self, node: Node, layer: torch.nn.Module, source: torch.fx.Node | None = None, **parameters: np.ndarray | None
    ) -> torch.fx.Node:
        """A call of a layer with these numbers as its parameters, on `source` or the node's first input."""
        for name, array in parameters.items():
            if array is not None:
                setattr(layer, name, self.parameter(array))
        path = self.parts.add_layer(path_of(node, layer), layer)
        return self.graph.call_module(path, (self.value(node.inputs[0]) if source is None else source,))

    def parameter(self, array: np.ndarray) -> torch.nn.Parameter:
        """An array as a parameter, the same one where two layers share a matrix or a kernel.

        Vectors are not shared: exporters store those once that are alike by chance, such as scales of one.
        """
        for known, parameter in self.shared if array.ndim > 1 else []:
            if known.__array_interface__ == array.__array_interface__:
                return parameter
        parameter = torch.nn.Parameter(self.tensor(array))
        self.shared.append((array, parameter))
        return parameter

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """A copy of an array, bfloat16 among its types."""
        array = np.array(array, order="C")
        if array.dtype.name == "bfloat16":
            return torch.from_numpy(array.astype(np.float32)).to(torch.bfloat16)
        try:
            return torch.from_numpy(array)
        except TypeError as error:
            raise ModelError(f"{self.network.name} has numbers of type {array.dtype}, which torch has not") from error

    def dtype(self, dtype: Any) -> torch.dtype:
        """torch's name for a type of NumPy's."""
        return self.tensor(np.empty(0, dtype)).dtype


def floating(*arrays: np.ndarray | None) -> bool:
    """Whether these constants are there and hold real numbers, so that they can be parameters."""
    return all(array is not None and is_float(array.dtype) for array in arrays)
