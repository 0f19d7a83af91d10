"""The certificate: the evidence that a collapsed network computes the same as the original.

Each collapsed stretch is compared with its own nodes in float64 before anything is written. What was written is then
run by a program from outside beside the original, and both are held against the float64 truth, output by output: as
one row and as several at once, at several scales, at two sizes of each free axis. Where no program can run the whole
network, or nobody knows the truth of one of its ops, each collapsed stretch is cut out and held against its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import ml_dtypes
import numpy as np
import onnx_ir as ir

from unbend.collapse.probes import Group, probes, scalers_of, sized
from unbend.collapse.rewrite import Plan
from unbend.collapse.size import size
from unbend.collapse.stretches import stretches, values_of
from unbend.collapse.witness import Run, cut, witness
from unbend.errors import ModelError
from unbend.network import Network, evaluate, input_shape
from unbend.network.graph import is_float
from unbend.network.local import Unsupported

ALLOWED = 8.0
"""An output of the collapsed network may be this many times as far from the truth as the original's …"""

FLOOR_ULPS = 64.0
"""… plus this many units in the last place of its type, relative to its own largest value in the group of inputs …"""

SPREAD_ULPS = 8.0
"""… plus this many relative to the largest output in the group. A wrong collapse is off by far more than all three:
merged weights are rounded once, which moves an output by about one unit for each factor of two in width."""

TOGETHER = 3
"""So many rows are run at once."""

MIXING = 1e-2
"""A run of several rows that is further than this from the truth of each, relative to scale, mixes its rows."""

OWN = 2.0
"""… plus this many times the largest error of the original in the group: deep networks round much …"""

SIZES_TRIED = 2


@dataclass(frozen=True)
class Certificate:
    """Evidence for one collapse.

    `scale` is the largest absolute output on the inputs tried; `original_error` and `collapsed_error` are the largest
    absolute differences to the float64 truth; `difference` is that between the two runs. `used` is the largest share
    of the allowance for rounding that any output of any input uses. `witness` says who ran the networks, and `whole`
    whether they were run whole or stretch by stretch.
    """

    inputs: int
    rules: tuple[str, ...]
    scale: float
    original_error: float
    collapsed_error: float
    difference: float
    used: float
    witness: str
    whole: bool
    truth: str = "float64 evaluation"

    @property
    def holds(self) -> bool:
        """Whether the collapsed network is as close to the truth as rounding allows."""
        return self.used <= 1.0


@dataclass(frozen=True, eq=False)
class _Trial:
    """Two models that should give the same, who runs them, and groups of inputs with the true outputs."""

    runs: tuple[Run, Run]
    names: tuple[str, str]
    groups: Sequence[Group]
    truths: Sequence[list[np.ndarray]]
    several: bool


@dataclass(frozen=True)
class _Gap:
    """How far two runs of one group are from the truth."""

    scale: float
    original: float
    collapsed: float
    difference: float
    used: float


def certify(network: Network, collapsed: ir.Model, plans: Sequence[Plan]) -> Certificate:
    """Hold the collapsed model against the original.

    Raises
    ------
    ModelError
        The collapsed model cannot be run although the original can, or gives outputs of another shape.
    """
    whole = _whole(network, collapsed)
    trials = whole or [_stretch(network, collapsed, one) for one in plans]
    gaps = [gap for trial in trials for gap in _gaps(trial)]
    return Certificate(
        inputs=sum(len(next(iter(group.values()))) for trial in trials for group in trial.groups),
        rules=tuple(rule for one in plans for rule in one.rules),
        scale=max(gap.scale for gap in gaps),
        original_error=max(gap.original for gap in gaps),
        collapsed_error=max(gap.collapsed for gap in gaps),
        difference=max(gap.difference for gap in gaps),
        used=max(gap.used for gap in gaps),
        witness=" and ".join(dict.fromkeys(name for trial in trials for name in trial.names)),
        whole=bool(whole),
    )


def _whole(network: Network, collapsed: ir.Model) -> list[_Trial]:
    """Trials of the network at sizes that it can be run with; none if nobody can run it or knows its truth."""
    return list(islice((trial for one in sized(network) if (trial := _at_size(one, collapsed))), SIZES_TRIED))


def _at_size(network: Network, collapsed: ir.Model) -> _Trial | None:
    name = network.input.name
    try:
        found = stretches(network)
        scalers = {k: v for stretch in found.stretches for k, v in scalers_of(stretch).items() if k == name}
        groups = probes({name: input_shape(network)}, network.types, size(network, found).macs, scalers)
        first = {name: groups[0][name][0]}
        who, before = witness(network.model, first)
        truths = [_true_outputs(network, group[name]) for group in groups]
    except (ModelError, Unsupported):
        return None
    other, after = witness(collapsed, first)
    return _Trial((before, after), (who, other), groups, truths, network.batch is None)


def _true_outputs(network: Network, x: np.ndarray) -> list[np.ndarray]:
    values = evaluate(network, x.astype(np.float64))
    return [values[value.name or ""] for value in network.model.graph.outputs]


def _stretch(network: Network, collapsed: ir.Model, plan: Plan) -> _Trial:
    """The trial of one stretch, cut out of both models."""
    stretch = plan.stretch
    shapes = {name: network.shapes[name] for name in stretch.sources}
    groups = probes(shapes, network.types, plan.before.macs, scalers_of(stretch))
    first = {name: array[0] for name, array in groups[0].items()}
    made = {value.name for node in collapsed.graph for value in node.outputs}
    outputs = [name for name in stretch.outputs if name in made]
    models = [cut(network, model, stretch.sources, outputs) for model in (network.model, collapsed)]
    (who, before), (other, after) = (witness(model, first) for model in models)
    truths = []
    for group in groups:
        values = values_of(stretch, {name: array.astype(np.float64) for name, array in group.items()})
        truths.append([values[name] for name in outputs])
    batched = network.batch is None and all(network.shapes[name][:1] == (1,) for name in stretch.sources)
    return _Trial((before, after), (who, other), groups, truths, batched)


def _gaps(trial: _Trial) -> Iterator[_Gap]:
    """How far both are from the truth, group by group; then both on several rows at once, where the original can."""
    for group, truth in zip(trial.groups, trial.truths, strict=True):
        before, after = (_by_rows(run, group) for run in trial.runs)
        yield from (_gap(*arrays) for arrays in zip(before, after, truth, strict=True))
    if trial.several:
        feeds = {name: np.concatenate(list(array[-TOGETHER:])) for name, array in trial.groups[0].items()}
        try:
            expected = trial.runs[0](feeds)
        except Exception:  # a network that cannot take several rows has nothing to compare
            return
        rows = [truth[-TOGETHER:] for truth in trial.truths[0]]
        yield from (_together(*arrays) for arrays in zip(expected, trial.runs[1](feeds), rows, strict=True))


def _together(before: np.ndarray, after: np.ndarray, rows: np.ndarray) -> _Gap:
    """The gap of a run of several rows: to the truth of each row, or to the original's run where it mixes its rows."""
    if before.size == rows.size and before.shape == after.shape:
        apart = _gap(before.reshape(rows.shape), after.reshape(rows.shape), rows)
        if apart.original <= MIXING * apart.scale:
            return apart
    return _gap(before, after, before)


def _by_rows(run: Run, group: Group) -> list[np.ndarray]:
    """Each output for each row of the group, run one by one."""
    rows = len(next(iter(group.values())))
    found = [run({name: array[row] for name, array in group.items()}) for row in range(rows)]
    return [np.stack(column) for column in zip(*found, strict=True)]


def _gap(before: np.ndarray, after: np.ndarray, truth: np.ndarray) -> _Gap:
    """How far one output of the original and of the collapsed network are from the truth, (rows, *shape) each."""
    if before.shape != after.shape:
        raise ModelError("it gives outputs of another shape", where=f"{before.shape} became {after.shape}")
    unit = float(ml_dtypes.finfo(before.dtype).eps) if is_float(before.dtype) else 0.0
    if truth.shape != before.shape:
        truth = before
    before, after, truth = (array.astype(np.float64) for array in (before, after, truth))
    finite = np.isfinite(before)
    if not np.array_equal(finite, np.isfinite(after)):
        return _Gap(0.0, 0.0, np.inf, np.inf, np.inf)
    truth = np.where(finite & np.isfinite(truth), truth, np.where(finite, before, 0.0))
    before, after = (np.where(finite, array, 0.0) for array in (before, after))
    error = np.max(np.abs(after - truth), axis=0, initial=0.0)
    scale = np.max(np.abs(truth), axis=0, initial=0.0)
    largest = float(scale.max(initial=0.0))
    own = np.max(np.abs(before - truth), axis=0, initial=0.0)
    allowed = ALLOWED * own + OWN * own.max(initial=0.0) + FLOOR_ULPS * unit * scale + SPREAD_ULPS * unit * largest
    return _Gap(
        scale=largest,
        original=float(own.max(initial=0.0)),
        collapsed=float(error.max(initial=0.0)),
        difference=float(np.max(np.abs(after - before), initial=0.0)),
        used=float(np.max(np.where(error > 0, error / np.maximum(allowed, np.finfo(float).tiny), 0.0), initial=0.0)),
    )
