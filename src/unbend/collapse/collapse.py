"""`collapse`: the cheapest network that computes exactly the same, with its certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import onnx
import onnx_ir as ir

from unbend import progress
from unbend.collapse import blocks
from unbend.collapse.blocks import answer, certificate_blocks, sizes, strip
from unbend.collapse.certify.certificate import Certificate, to_json
from unbend.collapse.choose.growth import grown
from unbend.collapse.choose.holding import Written, written
from unbend.collapse.choose.joint import joint
from unbend.collapse.choose.measured import LARGEST, Judge, in_doubt, slower
from unbend.collapse.choose.timing import Meter, Timing, by_onnxruntime
from unbend.collapse.find.size import Size, file_size, size
from unbend.collapse.find.stretches import MIXES, Kept, Stretches, stretches
from unbend.collapse.reports import BendReport, StretchReport, bend_reports, stretch_reports
from unbend.collapse.write.rewrite import Plan, plan, untouched
from unbend.collapse.write.saving import certificate_of, data_of, save, save_as_it_was
from unbend.document import Block
from unbend.errors import UsageError
from unbend.network import Network, at_lengths, check, lengths_of, mixes_rows, network_of, read
from unbend.network.to_torch import to_torch
from unbend.output import all_or_none, replacing
from unbend.result import Result

__all__ = ["BendReport", "Collapse", "StretchReport", "answer", "bend_reports", "certificate_blocks", "collapse"]
__all__ += ["size", "sizes", "strip"]

Cost = Literal["measured", "macs"]

COST: Cost = "measured"
"""How doubts are settled unless the caller says otherwise."""


@dataclass(frozen=True)
class Collapse(Result):
    """The collapsed network, what became of each stretch, and the certificate.

    `before` and `after` are the sizes; `affine` says that the whole network is one affine map of its input, and
    `mixes_rows` that it has no bend and is none all the same, since rows of a batch change each other; `files` are
    those that the model was read from, and `made` gives the collapsed graph. `timing` says how long a row takes before
    and after, or `untimed` why that was not measured; `lengths` are those of the input's free axes at which
    multiplications are counted; `notes` say what of the file, beside its stretches, is not as it was.
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
    made: Callable[[], ir.Model] = field(repr=False, compare=False, metadata={"json": False})
    path: str | None = None
    files: tuple[Path, ...] = field(default=(), repr=False, metadata={"json": False})
    mixes_rows: bool = False
    timing: Timing | None = None
    untimed: str = ""
    lengths: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def model(self) -> ir.Model:
        """The collapsed graph, which `save` writes; where nothing collapsed, the one that was given."""
        return self.made()

    @property
    def changed(self) -> bool:
        """Whether anything collapsed."""
        return any(stretch.collapsed for stretch in self.stretches)

    def to_onnx(self) -> onnx.ModelProto:
        """The collapsed network as an onnx.ModelProto."""
        return ir.to_proto(self.model)

    def to_torch(self) -> Any:
        """The collapsed network as a `torch.nn.Module` of plain layers, in evaluation mode.

        Raises
        ------
        ModelError
            An op of it has no torch layer here; the text names it.
        """
        return to_torch(network_of(self.model.clone(), self.name))

    def save(self, path: str | Path, *, certificate: str | Path | None = None, force: bool = False) -> Path:
        """Write the collapsed network to `path` and its certificate: both whole, or neither.

        What does not fit into one file has its numbers beside it, in `path` with ".data" behind. The certificate is
        written to `certificate`, by default beside the network: smaller.certificate.json for smaller.onnx.

        Raises
        ------
        UsageError
            A file to write is one that was read, or exists, was not made by unbend, and `force` is not given; or there
            is no room for it.
        """
        path = Path(path)
        beside = certificate_of(path, certificate)
        if path.resolve() == beside.resolve():
            raise UsageError(f"the network and its certificate cannot both be {path}", try_="name two files")
        with all_or_none(path, data_of(path)):
            if self.changed or len(self.files) != 1:
                save(self.model, path, inputs=self.files, force=force)
            else:
                save_as_it_was(self.files[0], path, force=force)
            with replacing(beside, inputs=self.files, force=force) as draft:
                draft.write_text(to_json(self.certificate, path, self.path), encoding="utf-8")
        return path

    def document(self) -> list[Block]:
        """The answer, what it saves, each stretch, and the evidence."""
        return blocks.document(self)


def collapse(
    model: Any,
    example: Any = None,
    *,
    name: str | None = None,
    cost: Cost | None = None,
    meter: Meter = by_onnxruntime,
    allow_growth: bool = False,
) -> Collapse:
    """The cheapest network that computes exactly the same as `model`.

    Every affine stretch is reduced by exact algebra in float64 and written in its cheapest form, never dearer than it
    was in multiplications or nodes; the numbers that the whole network stores grow by a tenth at most, and only where
    each saves many multiplications. The rest of the graph is untouched. A stretch whose collapsed form does not pass
    the certificate, or that is slower, is left as it was, and the report says so.

    Parameters
    ----------
    model : path of an ONNX file, onnx.ModelProto, torch module (with `example`), scikit-learn network
    example : one input with its batch axis, a tuple or list of several, or a dict of them by the names of the inputs
        A torch module needs it; the networks are tried on it beside random inputs.
    name : what the report calls it
    cost : "measured" or "macs"
        What says which exact form is cheapest. "macs" counts multiplications, then numbers stored, then nodes: the same
        file on every machine. "measured" (the default) counts first, and where that leaves a doubt runs the forms
        under onnxruntime here, on one thread, for at most three seconds; a network that is large is only counted.
    allow_growth : let the network store more numbers, as many as it takes, where each saves many multiplications
    meter : what times networks, onnxruntime on this machine by default; see `unbend.collapse.choose.timing.Meter`

    Raises
    ------
    ModelError
        The model cannot be read, or onnx.checker does not accept it.
    UsageError
        `cost` is neither of the two.
    """
    cost = COST if cost is None else cost
    if cost not in get_args(Cost):
        raise UsageError(f"cost={cost!r} is not known", try_=f"cost is one of {', '.join(map(repr, get_args(Cost)))}")
    progress.at("reading")
    network = at_lengths(read(model, example, name=name))
    check(network.model, network.name)
    found = stretches(network)
    before = size(network, found)
    judge = Judge(network, lambda stretch, untouched: plan(network, stretch, untouched), meter)
    if cost == "macs":
        judge.why_not = "cost=macs counts only"
    elif before.macs > LARGEST:
        judge.why_not = f"{before.macs:.3g} multiplications for a row are too many to time it in a few seconds"
    done, timing = _settled(_plans(network, found, allow_growth), judge)
    reports = [each for one in done.plans for each in stretch_reports(network, one, judge.timings.get(one.stretch))]
    straight = not network.bends and all(one.reason == MIXES for one in found.kept)
    mixed = straight and mixes_rows(network)
    given = network.given or network.model.clone
    return Collapse(
        name=network.name,
        before=replace(before, file=file_size(network.model)) if done.certificate else before,
        after=_size_of(done.model, network) if done.certificate else before,
        affine=straight and not mixed,
        mixes_rows=mixed,
        stretches=tuple(sorted(reports, key=lambda report: report.place)),
        bends=tuple(bend_reports(network)),
        kept=found.kept,
        certificate=done.certificate,
        made=(lambda: done.model) if done.certificate else partial(untouched, given, network.name, network.path),
        notes=network.notes if done.certificate else (),
        path=network.path,
        files=network.files,
        timing=timing,
        untimed="" if timing else judge.why_not,
        lengths=lengths_of(network),
    )


def _size_of(model: ir.Model, before: Network) -> Size:
    """How large the model is, looked at with the lengths of the network that it was made from."""
    after = at_lengths(replace(network_of(model.clone(), before.name), examples=before.examples))
    return replace(size(after, stretches(after)), file=file_size(model))


def _plans(network: Network, found: Stretches, allow_growth: bool) -> list[Plan]:
    plans = []
    for i, stretch in enumerate(found.stretches, 1):
        progress.at(f"composing stretch {i} of {len(found.stretches)}")
        plans.append(plan(network, stretch))
    return joint(network, grown(network, plans, allow_growth=allow_growth), allow_growth=allow_growth)


def _settled(plans: list[Plan], judge: Judge) -> tuple[Written, Timing | None]:
    """What is written, and how long it takes: where it is slower than it was, without what is in doubt, or not at all.

    Nothing is timed where the judge says why not.
    """
    if judge.why_not:
        return written(judge.network, plans, judge.planner), None
    plans = judge.settle(plans)
    for leave in (in_doubt, _collapses):
        done = written(judge.network, plans, judge.planner)
        timing = judge.whole(done.model) if done.certificate else None
        if timing is None or not judge.finds_slower(timing, done.model):
            return done, timing
        reason = slower(timing, "with it the whole network")
        plans = [replace(one, kept=reason) if leave(one) else one for one in done.plans]
    return written(judge.network, plans, judge.planner), None


def _collapses(one: Plan) -> bool:
    return one.collapses
