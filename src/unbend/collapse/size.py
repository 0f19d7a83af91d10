"""How large a network is: what a collapse saves is counted before and after in the same way."""

from __future__ import annotations

from dataclasses import dataclass

from unbend.collapse.stretches import Stretches
from unbend.network import Network

HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True)
class Size:
    """How large a network is: nodes, products (Conv, Gemm, MatMul), multiplications for a row, numbers stored."""

    nodes: int
    heavy: int
    macs: int
    parameters: int


def size(network: Network, found: Stretches) -> Size:
    """How large a network is."""
    macs = sum(
        linear.cost.macs
        for stretch in found.stretches
        for outputs in stretch.locals
        for one in outputs
        for linear in one.maps.values()
    )
    heavy = sum(node.op_type in HEAVY for node in network.nodes)
    return Size(len(network.nodes), heavy, macs, network.parameters)
