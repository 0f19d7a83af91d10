"""A network as a torch module of plain layers: a torch.fx graph of Linear, Conv, activations, sums and reshapes.

Each node of the ONNX graph becomes one call: a layer with its weights where torch has one, else a function of torch's
own; nothing of unbend is left in the module. An entry of the table writes the nodes of one op; the package finds its
own files. They need torch, so they are imported when a module is asked for, and not before.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from unbend.errors import ModelError
from unbend.network.graph import Network, Node

if TYPE_CHECKING:
    from unbend.network.to_torch.writer import Writer

Write = Callable[["Writer", Node], Any]
"""Writes a node: one torch.fx node, or a list of them, one for each output (None for an output that it cannot give)."""

F = TypeVar("F", bound=Write)

_TABLE: dict[str, Write] = {}


def writes(*names: str) -> Callable[[F], F]:
    """Put a function into the table under ONNX's names for the op."""

    def register(function: F) -> F:
        _TABLE.update(dict.fromkeys(names, function))
        return function

    return register


@cache
def table() -> dict[str, Write]:
    """What writes each op; the files of this package are imported on the first call."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return _TABLE


def to_torch(network: Network) -> Any:
    """The network as a `torch.fx.GraphModule` in evaluation mode, for as many rows and lengths as the network takes.

    Its numbers are the network's own; its outputs are the network's to the rounding of its type.

    Raises
    ------
    ModelError
        The network has an op that has no layer or function here, or torch is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError("torch is not installed", try_='pip install "unbend[torch]"') from error
    from unbend.network.to_torch.writer import Writer

    writer = Writer.of(network)
    unknown = [node for node in writer.nodes if not _is_written(node)]
    if unknown:
        raise _no_layer(network, unknown)
    return writer.module()


def _is_written(node: Node) -> bool:
    from unbend.network.to_torch.lengths import COUNTS

    return node.domain in ("", "ai.onnx") and not node.random and (node.op_type in table() or node.op_type in COUNTS)


def _no_layer(network: Network, nodes: list[Node]) -> ModelError:
    ops = ", ".join(dict.fromkeys(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in nodes))
    return ModelError(
        f"{network.name} has ops that no torch layer is written for: {ops}",
        where=f"the first of them is {nodes[0].label}" + (f"; {nodes[0].random}" if nodes[0].random else ""),
        try_="save it as an .onnx file instead, and run it with onnxruntime",
    )
