"""What the network answers: a number, or scores of classes; and where its answer is still affine in the last layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from unbend.errors import ModelError, SelfCheckError
from unbend.network import Network, Port, Runner, input_shape

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
    output, size = _answer(network)
    name = output.name
    node = network.producers.get(name)
    while node is not None and node.op_type in PASSING:
        name = node.inputs[0]
        node = network.producers.get(name)
    if node is not None and node.op_type in ("Softmax", "LogSoftmax", "Sigmoid"):
        kind = "binary" if node.op_type == "Sigmoid" and size == 1 else "classes"
        return Head(output.name, node.inputs[0], kind, size, node.op_type)
    return Head(output.name, output.name, "number" if size == 1 else "numbers", size)


def _answer(network: Network) -> tuple[Port, int]:
    """The first output that is a tensor of real numbers, and how many it has for a row."""
    for port in network.outputs:
        dtype = port.dtype if port.dtype is not None else network.types.get(port.name)
        size = _size(network, port) if dtype is None or dtype.kind == "f" or dtype.name == "bfloat16" else None
        if size is not None:
            return port, size
    raise ModelError(
        f"{network.name} has no output of real numbers with a known shape",
        where="its outputs are " + ", ".join(str(port) for port in network.outputs),
        try_="export the network with its scores or probabilities as a tensor",
    )


def _size(network: Network, port: Port) -> int | None:
    """How many numbers the output has for a row: by inference, as the file declares it, or as a run gives it."""
    if port.name in network.shapes:
        return math.prod(network.shapes[port.name])
    axes = (port.shape or (None, None))[1:]
    if all(isinstance(axis, int) for axis in axes):
        return math.prod(axis for axis in axes if isinstance(axis, int))
    try:
        return Runner(network)(np.zeros((1, *input_shape(network))))[port.name].size
    except (ModelError, SelfCheckError):
        return None
