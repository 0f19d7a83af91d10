"""What became of each stretch, and where the network bends: what a collapse keeps of them for its report."""

from __future__ import annotations

from dataclasses import dataclass, replace

from unbend.affine.border import is_only_ones
from unbend.collapse.choose.timing import Timing
from unbend.collapse.reduce.reduce import Edge
from unbend.collapse.reduce.steps import pieces
from unbend.collapse.write.rewrite import Plan
from unbend.network import Network


@dataclass(frozen=True)
class StretchReport:
    """What became of one stretch.

    `place` is where its first node stands in the network, `reason` why it was kept; `timing` is there where its forms
    were timed: as it was against as it would be.
    """

    label: str
    ops: tuple[str, ...]
    collapsed: bool
    into: tuple[str, ...]
    macs_before: int
    macs_after: int
    rules: tuple[str, ...]
    reason: str
    place: int = 0
    timing: Timing | None = None


@dataclass(frozen=True)
class BendReport:
    """A node that is not affine, where the network stops being a regression; `place` is where it stands."""

    label: str
    op_type: str
    reach: str
    known: bool
    place: int = 0


def stretch_reports(network: Network, plan: Plan, timing: Timing | None = None) -> list[StretchReport]:
    """The reports of the stretches that a plan is for; a plan that is kept is kept in all its pieces."""
    plans = [replace(piece, kept=plan.kept or piece.kept) for piece in plan.pieces] or [plan]
    return [_report(network, one, timing) for one in plans]


def _report(network: Network, one: Plan, timing: Timing | None) -> StretchReport:
    return StretchReport(
        label=one.stretch.label,
        ops=tuple(node.op_type for node in one.stretch.nodes),
        collapsed=one.collapses,
        into=tuple(name for edge in one.edges for name in _names(edge)) if one.collapses else (),
        macs_before=one.before.macs,
        macs_after=one.after.macs if one.collapses else one.before.macs,
        rules=one.rules if one.collapses else (),
        reason=one.kept,
        place=network.nodes.index(one.stretch.nodes[0]),
        timing=timing,
    )


def _names(edge: Edge) -> list[str]:
    """The ops that an edge is written as; what is made of an image of ones is added to the other edge."""
    names = [part.name for step in edge.steps for part in pieces(step)]
    if not names or not is_only_ones(edge.steps[0].affine):
        return names
    return [" of ".join(["Add", *reversed(names[1:]), "ones"])]


def bend_reports(network: Network) -> list[BendReport]:
    """Every bend, in order."""
    from unbend.network.ops import lookup

    bends = set(network.bends)
    return [
        BendReport(node.label, _qualified(node.domain, node.op_type), network.reach(node), lookup(node) is not None, i)
        for i, node in enumerate(network.nodes)
        if node in bends
    ]


def _qualified(domain: str, op_type: str) -> str:
    return op_type if domain in ("", "ai.onnx") else f"{domain}.{op_type}"
