"""How large a network is: what a collapse saves is counted before and after in the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from unbend.collapse.find.stretches import Stretches
from unbend.network import Network, Node
from unbend.network.external import bytes_of, graphs_of

EMPTY = ir.Tensor(np.zeros(0, dtype=np.float32))

HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True)
class Size:
    """How large a network is: nodes, products (Conv, Gemm, MatMul), multiplications for a row, numbers stored, bytes.

    `file` is what its file takes, with the data beside it, where that was asked.
    """

    nodes: int
    heavy: int
    macs: int
    parameters: int
    file: int | None = None


def size(network: Network, found: Stretches) -> Size:
    """How large a network is. Products of two variable values count; element-wise bends and unknown ops do not."""
    macs = sum(
        linear.cost.macs
        for stretch in found.stretches
        for outputs in stretch.locals
        for one in outputs
        for linear in one.maps.values()
    )
    inside = {node for stretch in found.stretches for node in stretch.nodes}
    macs += sum(_product(network, node) for node in network.nodes if node not in inside)
    heavy = sum(node.op_type in HEAVY for node in network.nodes)
    return Size(len(network.nodes), heavy, macs, network.parameters)


def file_size(model: ir.Model) -> int:
    """How many bytes the model takes as a file, with its data if that is kept beside it."""
    frame = model.clone()
    for graph in graphs_of(frame):
        for value in graph.initializers.values():
            value.const_value = EMPTY
    return bytes_of(model) - bytes_of(frame) + ir.to_proto(frame).ByteSize()


def _product(network: Network, node: Node) -> int:
    """The multiplications of a product outside every stretch; 0 for other ops, or where shapes are not known."""
    if node.op_type not in HEAVY:
        return 0
    first, second = (_shape(network, name) for name in node.inputs[:2])
    target = network.shapes.get(node.outputs[0])
    if not first or not second or target is None:
        return 0
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    if node.op_type == "Conv":
        return math.prod(target) * math.prod(second[1:])
    return math.prod(target) * first[-2 if node.attribute("transA", 0) else -1]


def _shape(network: Network, name: str) -> tuple[int, ...] | None:
    constant = network.constants.get(name)
    return network.shapes.get(name) if constant is None else constant.shape
