"""What the network answers: a number, or scores of classes; and where its answer is still affine in the last layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from unbend.errors import ModelError
from unbend.network import Network, Port

PASSING = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"})
"""Ops between the last layer and the output that move numbers and do not change them."""


@dataclass(frozen=True)
class Head:
    """The end of a network.

    `kind` is `number` (one output), `numbers` (several), `binary` (one probability) or `classes` (one for each class);
    `logits` is the value before the last Softmax or Sigmoid, and the output itself where there is none.
    """

    output: str
    logits: str
    kind: Literal["number", "numbers", "binary", "classes"]
    size: int
    last: str = ""

    @property
    def classifier(self) -> bool:
        """Whether the network ends in a Softmax or a Sigmoid."""
        return self.kind in ("binary", "classes")


def head(network: Network) -> Head:
    """How `network` ends.

    Raises
    ------
    ModelError
        It has no output of real numbers.
    """
    output = _answer(network)
    size = math.prod(network.shapes.get(output.name, ()))
    name = output.name
    node = network.producers.get(name)
    while node is not None and node.op_type in PASSING:
        name = node.inputs[0]
        node = network.producers.get(name)
    if node is not None and node.op_type in ("Softmax", "LogSoftmax", "Sigmoid"):
        kind = "binary" if node.op_type == "Sigmoid" and size == 1 else "classes"
        return Head(output.name, node.inputs[0], kind, size, node.op_type)
    return Head(output.name, output.name, "number" if size == 1 else "numbers", size)


def _answer(network: Network) -> Port:
    """The first output that is a tensor of real numbers."""
    for port in network.outputs:
        dtype = port.dtype if port.dtype is not None else network.types.get(port.name)
        if (dtype is None or dtype.kind == "f" or dtype.name == "bfloat16") and port.name in network.shapes:
            return port
    raise ModelError(
        f"{network.name} has no output of real numbers with a known shape",
        where="its outputs are " + ", ".join(str(port) for port in network.outputs),
        try_="export the network with its scores or probabilities as a tensor",
    )
