"""`collapse`: the cheapest network that computes exactly the same, with its certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import onnx
import onnx_ir as ir

from unbend.collapse import blocks
from unbend.collapse.blocks import answer, certificate_blocks, sizes, strip
from unbend.collapse.certificate import Certificate, certify
from unbend.collapse.probes import scaler_nodes
from unbend.collapse.rewrite import Plan, plan, rewrite
from unbend.collapse.size import Size, size
from unbend.collapse.stretches import Kept, stretches
from unbend.collapse.write import Overflow
from unbend.document import Block
from unbend.errors import ModelError
from unbend.network import Network, mixes_rows, network_of, read
from unbend.output import replacing
from unbend.result import Result

__all__ = ["BendReport", "Collapse", "StretchReport", "answer", "bend_reports", "certificate_blocks", "collapse"]
__all__ += ["size", "sizes", "strip"]


@dataclass(frozen=True)
class StretchReport:
    """What became of one stretch."""

    label: str
    ops: tuple[str, ...]
    collapsed: bool
    into: tuple[str, ...]
    macs_before: int
    macs_after: int
    rules: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class BendReport:
    """A node that is not affine: where the network stops being a regression."""

    label: str
    op_type: str
    reach: str
    known: bool


@dataclass(frozen=True)
class Collapse(Result):
    """The collapsed network, what became of each stretch, and the certificate.

    `before` and `after` are the sizes; `affine` says that the whole network is one affine map of its input, and
    `mixes_rows` that it has no bend and is none all the same, since rows of a batch change each other; `model` is
    the collapsed graph (`save` writes it).
    """

    verb: ClassVar[str] = "collapse"

    name: str
    before: Size
    after: Size
    affine: bool
    stretches: tuple[StretchReport, ...]
    bends: tuple[BendReport, ...]
    kept: tuple[Kept, ...]
    certificate: Certificate | None
    model: ir.Model = field(repr=False, compare=False, metadata={"json": False})
    path: str | None = None
    mixes_rows: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything collapsed."""
        return any(stretch.collapsed for stretch in self.stretches)

    def to_onnx(self) -> onnx.ModelProto:
        """The collapsed network as an onnx.ModelProto."""
        return ir.to_proto(self.model)

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the collapsed network to `path`, whole or not at all.

        Raises
        ------
        UsageError
            `path` is the file that was read, or exists, was not made by unbend, and `force` is not given.
        """
        with replacing(path, inputs=[self.path] if self.path else [], force=force) as draft:
            ir.save(self.model, draft)
        return Path(path)

    def document(self) -> list[Block]:
        """The answer, what it saves, each stretch, and the evidence."""
        return blocks.document(self)


def collapse(model: Any, example: Any = None, *, name: str | None = None) -> Collapse:
    """The cheapest network that computes exactly the same as `model`.

    Every affine stretch is reduced by exact algebra in float64 and written in its cheapest form, never dearer than it
    was in multiplications, stored numbers or nodes; the rest of the graph is untouched. A stretch whose collapsed form
    does not pass the certificate is left as it was, and the report says so.

    Parameters
    ----------
    model : path of an ONNX file, onnx.ModelProto, torch module (with `example`), scikit-learn network
    example : one input with its batch axis, for a torch module
    name : what the report calls it

    Raises
    ------
    ModelError
        The model cannot be read.
    """
    network = read(model, example, name=name)
    found = stretches(network)
    plans = [plan(network, stretch) for stretch in found.stretches]
    written, plans, certificate = _written(network, plans)
    straight = not network.bends and not found.kept
    mixed = straight and mixes_rows(network)
    after = network_of(written.clone(), network.name) if certificate else network
    return Collapse(
        name=network.name,
        before=size(network, found),
        after=size(after, stretches(after)) if certificate else size(network, found),
        affine=straight and not mixed,
        mixes_rows=mixed,
        stretches=tuple(_report(one) for one in plans),
        bends=tuple(bend_reports(network)),
        kept=found.kept,
        certificate=certificate,
        model=written,
        path=network.path,
    )


def _written(network: Network, plans: list[Plan]) -> tuple[ir.Model, list[Plan], Certificate | None]:
    """The rewritten model; stretches whose numbers do not fit, or that fail the certificate, are left as they were."""
    chosen = [one for one in plans if one.collapses]
    if not chosen:
        return network.model, plans, None
    found = _Holding(network)
    found.add(chosen)
    settled = [found.outcomes.get(one, one) for one in plans]
    if found.written is None:
        return network.model, settled, None
    model, certificate = found.written
    return model, settled, certificate


@dataclass(eq=False)
class _Holding:
    """Plans that hold together under the certificate, found by halving where all of them do not.

    `outcomes` says what became of each plan that was tried; `written` is the model of those that hold.
    """

    network: Network
    good: list[Plan] = field(default_factory=list)
    outcomes: dict[Plan, Plan] = field(default_factory=dict)
    written: tuple[ir.Model, Certificate] | None = None

    def add(self, plans: Sequence[Plan]) -> None:
        """Keep what holds of `plans` beside what holds already."""
        outcome = _try(self.network, [*self.good, *plans])
        if not isinstance(outcome, str):
            self.good += plans
            self.written = outcome
        elif len(plans) > 1:
            middle = len(plans) // 2
            self.add(plans[:middle])
            self.add(plans[middle:])
        else:
            self._without_scaler(plans[0], outcome)

    def _without_scaler(self, one: Plan, reason: str) -> None:
        """The plan that leaves the scaler before the stretch alone, if that holds.

        A shift of columns with large means costs digits where it is folded into a product.
        """
        self.outcomes[one] = replace(one, kept=reason)
        other = plan(self.network, one.stretch, scalers) if (scalers := scaler_nodes(one.stretch)) else one
        if other is one or not other.collapses:
            return
        again = _try(self.network, [*self.good, other])
        if not isinstance(again, str):
            self.good.append(other)
            self.outcomes[one], self.written = other, again


def _try(network: Network, chosen: Sequence[Plan]) -> tuple[ir.Model, Certificate] | str:
    """The model with these stretches rewritten and its certificate, or why that is refused."""
    try:
        model = rewrite(network, chosen)
        _check(network, model)
        certificate = certify(network, model, chosen)
    except Overflow as reason:
        return str(reason)
    except (ModelError, onnx.checker.ValidationError) as error:
        return f"its collapsed form cannot be certified ({' '.join(str(error).split())[:200]})"
    return (model, certificate) if certificate.holds else "its certificate failed"


def _check(network: Network, model: ir.Model) -> None:
    """onnx.checker accepts the collapsed model, unless it does not accept the original either."""
    try:
        onnx.checker.check_model(ir.to_proto(model))
    except onnx.checker.ValidationError:
        if _is_valid(network.model):
            raise


def _is_valid(model: ir.Model) -> bool:
    try:
        onnx.checker.check_model(ir.to_proto(model))
    except onnx.checker.ValidationError:
        return False
    return True


def bend_reports(network: Network) -> list[BendReport]:
    """Every bend, in order."""
    from unbend.network.ops import lookup

    return [
        BendReport(node.label, _qualified(node.domain, node.op_type), network.reach(node), lookup(node) is not None)
        for node in network.bends
    ]


def _qualified(domain: str, op_type: str) -> str:
    return op_type if domain in ("", "ai.onnx") else f"{domain}.{op_type}"


def _report(one: Plan) -> StretchReport:
    steps = [step for edge in one.edges for step in edge.steps]
    return StretchReport(
        label=one.stretch.label,
        ops=tuple(node.op_type for node in one.stretch.nodes),
        collapsed=one.collapses,
        into=tuple(step.name for step in steps) if one.collapses else (),
        macs_before=one.before.macs,
        macs_after=one.after.macs if one.collapses else one.before.macs,
        rules=one.rules if one.collapses else (),
        reason=one.kept,
    )
