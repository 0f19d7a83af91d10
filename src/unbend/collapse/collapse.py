"""`collapse`: the cheapest network that computes exactly the same, with its certificate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import onnx
import onnx_ir as ir

from unbend.collapse.certificate import Certificate, certify
from unbend.collapse.rewrite import Plan, plan, rewrite
from unbend.collapse.stretches import Kept, Stretches, stretches
from unbend.collapse.write import Overflow
from unbend.document import Block, Bullets, Column, Heading, Paragraph, Table, number
from unbend.errors import ModelError, SelfCheckError
from unbend.network import Network, network_of, read
from unbend.output import replacing
from unbend.result import Result

HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


@dataclass(frozen=True)
class Size:
    """How large a network is: nodes, products (Conv, Gemm, MatMul), multiplications for a row, numbers stored."""

    nodes: int
    heavy: int
    macs: int
    parameters: int


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

    `before` and `after` are the sizes; `affine` says that the whole network is one affine map of its input; `model` is
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
        return _document(self)


def collapse(model: Any, example: Any = None, *, name: str | None = None) -> Collapse:
    """The cheapest network that computes exactly the same as `model`.

    Every affine stretch is reduced by exact algebra in float64 and written in its cheapest form, never dearer than it
    was in multiplications, stored numbers or nodes; the rest of the graph is untouched.

    Parameters
    ----------
    model : path of an ONNX file, onnx.ModelProto, torch module (with `example`), scikit-learn network
    example : one input with its batch axis, for a torch module
    name : what the report calls it

    Raises
    ------
    ModelError
        The model cannot be read or run.
    SelfCheckError
        The collapsed network does not compute the same; nothing is returned.
    """
    network = read(model, example, name=name)
    found = stretches(network)
    plans = [plan(network, stretch) for stretch in found.stretches]
    written, plans, certificate = _written(network, plans)
    after = network_of(written.clone(), network.name) if certificate else network
    return Collapse(
        name=network.name,
        before=size(network, found),
        after=size(after, stretches(after)) if certificate else size(network, found),
        affine=not network.bends and not found.kept,
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
    tried = _try(network, chosen)
    if isinstance(tried, str):
        good: list[Plan] = []
        for one in chosen:
            outcome = _try(network, [*good, one])
            if isinstance(outcome, str):
                plans[plans.index(one)] = replace(one, kept=outcome)
            else:
                good.append(one)
                tried = outcome
        if isinstance(tried, str):
            return network.model, plans, None
    return *tried[:1], plans, tried[1]


def _try(network: Network, chosen: Sequence[Plan]) -> tuple[ir.Model, Certificate] | str:
    """The model with these stretches rewritten and its certificate, or why that is refused."""
    try:
        model = rewrite(network, chosen)
        onnx.checker.check_model(ir.to_proto(model))
        certificate = certify(network, model, tuple(rule for one in chosen for rule in one.rules))
    except Overflow as reason:
        return str(reason)
    except (ModelError, onnx.checker.ValidationError) as error:
        raise SelfCheckError(
            f"the collapsed form of {network.name} cannot be run", where=str(error).splitlines()[0]
        ) from error
    return (model, certificate) if certificate.holds else "its certificate failed"


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


def _document(result: Collapse) -> list[Block]:
    blocks: list[Block] = [Heading(f"Collapse of {result.name}", 1), Paragraph(answer(result), "strong", "exact")]
    if result.changed:
        blocks.append(sizes(result))
    blocks.append(strip(result))
    if result.kept:
        items = [f"{kept.op_type} {kept.label}: {kept.reason}" for kept in result.kept]
        blocks += [Heading("Affine, and yet left alone", 3), Bullets(items)]
    if result.certificate is not None:
        blocks += [Heading("Certificate", 3), *certificate_blocks(result.certificate)]
    return blocks


def answer(result: Collapse) -> str:
    """What the network is, and what collapses, in sentences."""
    if result.affine:
        first = "This network has no bend: it is one linear regression, W_z x + b_z."
    else:
        kinds = Counter(bend.op_type for bend in result.bends)
        listed = ", ".join(f"{count} {name}" for name, count in kinds.most_common())
        count = len(result.stretches)
        first = f"This network has {len(result.bends)} bends ({listed}) and {count} affine stretches between them."
    if not result.changed:
        return f"{first} No stretch can be written cheaper than it is."
    done = sum(stretch.collapsed for stretch in result.stretches)
    saved = 1 - result.after.macs / result.before.macs if result.before.macs else 0.0
    share = f"{number(100 * saved, 3)} % of the multiplications"
    return f"{first} {done} of {len(result.stretches)} collapse, which saves {share}."


def sizes(result: Collapse) -> Table:
    """The sizes before and after."""
    rows = [
        (name, getattr(result.before, key), getattr(result.after, key))
        for name, key in (
            ("nodes", "nodes"),
            ("Conv, Gemm, MatMul", "heavy"),
            ("multiplications for a row", "macs"),
            ("numbers stored", "parameters"),
        )
    ]
    return Table([Column("", "left"), Column("before"), Column("after")], rows)


def strip(result: Collapse) -> Table:
    """A row for each stretch: what it is, what it becomes, why it is kept."""
    rows = [
        (
            stretch.label,
            " → ".join(stretch.ops) if len(stretch.ops) <= 6 else f"{len(stretch.ops)} nodes",
            " → ".join(stretch.into) if stretch.collapsed else "kept",
            "" if stretch.collapsed else stretch.reason,
        )
        for stretch in result.stretches
    ]
    columns = [Column("stretch", "left"), Column("is", "left"), Column("becomes", "left"), Column("why kept", "left")]
    return Table(columns, rows, title="Stretches")


def certificate_blocks(certificate: Certificate) -> list[Block]:
    """The evidence in two sentences."""
    return [
        Paragraph(
            f"Composed in float64 and rounded once. On {certificate.inputs} inputs the collapsed network is at most "
            f"{number(certificate.collapsed_error, 2)} from the {certificate.truth}, the original "
            f"{number(certificate.original_error, 2)}; the largest output is {number(certificate.scale, 3)}.",
            "quiet",
        )
    ]
