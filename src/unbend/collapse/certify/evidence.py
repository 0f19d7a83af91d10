"""What runs say: both networks run by a program from outside, and held against the float64 truth of the original.

Output by output: as one row and as several at once, at several scales, at two sizes of each free axis. Where no program
can run the whole network, or nobody knows the truth of one of its ops, each collapsed stretch is cut out and held
against its own. The two are run one after the other, so that only one of them is held by the program at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import ml_dtypes
import numpy as np
import onnx_ir as ir

from unbend.affine import Affine
from unbend.collapse.certify.precision import op_by_op
from unbend.collapse.certify.witness import Run, cut, witness
from unbend.collapse.find.mixings import as_given
from unbend.collapse.find.size import size
from unbend.collapse.find.stretches import stretches, values_of
from unbend.collapse.write.probes import TOGETHER, Group, input_probes, probes, scalers_of, sized, together
from unbend.collapse.write.rewrite import Plan
from unbend.collapse.write.rounding import is_half
from unbend.errors import ModelError
from unbend.network import Network, evaluate
from unbend.network.evaluate import Maps
from unbend.network.graph import is_float
from unbend.network.local import Unsupported
from unbend.network.paged import give_back

ALLOWED = 8.0
"""An output of the collapsed network may be this many times as far from the truth as the original's …"""

OWN = 2.0
"""… plus this many times the largest error of the original in the group: deep networks round much …"""

FLOOR_ULPS = 64.0
"""… plus this many units in the last place of its type, relative to its own largest value in the group of inputs …"""

SPREAD_ULPS = 8.0
"""… plus this many relative to the largest output in the group. A wrong collapse is off by far more than all four:
merged weights are rounded once, which moves an output by about one unit for each factor of two in width."""

HALF = 1 / 8
"""In half precision this share of both where two runs are compared, or where it is known how far the original is from
the truth op by op: 64 units of a bfloat16 are half of it. Of what is allowed then, the collapses of all traps use 5 %
(median), and 84 % at most."""

MIXING = 1e-2
"""A run of several rows that is further than this from the truth of each, relative to scale, mixes its rows."""

SIZES_TRIED = 2

MOST_SAID = 200
"""So many characters are told of why a program cannot run a network."""


Outputs = list[np.ndarray]


@dataclass(frozen=True)
class Evidence:
    """How far both networks were from the truth on the inputs tried.

    `scale` is the largest absolute output; `original_error` and `collapsed_error` are the largest absolute differences
    to the float64 truth; `difference` is that between the two runs. `used` is the largest share of the allowance for
    rounding that any output of any input uses. `witness` says who ran the networks, `whole` whether they were run whole
    or stretch by stretch, and then `why_not`, `sizes` at which shapes of the input.
    """

    inputs: int
    scale: float
    original_error: float
    collapsed_error: float
    difference: float
    used: float
    witness: str
    whole: bool
    sizes: tuple[tuple[int, ...], ...]
    seed: int = 0
    why_not: str = ""

    @property
    def holds(self) -> bool:
        """Whether the collapsed network is as close to the truth as rounding allows."""
        return self.used <= 1.0


@dataclass(frozen=True)
class Gap:
    """How far two runs of one group are from the truth."""

    scale: float
    original: float
    collapsed: float
    difference: float
    used: float


@dataclass(frozen=True, eq=False)
class _Ran:
    """What a model gave: for each group of inputs its outputs row by row, and for several rows at once."""

    who: str
    rows: list[Outputs]
    together: Outputs | None


@dataclass(frozen=True, eq=False)
class _Trial:
    """Two models that should give the same, and groups of inputs with the true outputs.

    `rounding` is how far these may be off in half precision, see `_Known`.
    """

    models: tuple[_Ran, _Ran]
    groups: Sequence[Group]
    truths: Sequence[Outputs]
    rounding: Sequence[Outputs] = ()


def evidence(network: Network, collapsed: ir.Model, plans: Sequence[Plan]) -> Evidence:
    """Run the collapsed model beside the original.

    Raises
    ------
    ModelError
        The collapsed model cannot be run although the original can, or gives outputs of another shape.
    """
    whole, why_not = _whole(network, collapsed)
    trials = [*whole, *(_stretch(network, collapsed, one) for one in plans if not _on_several_rows(network, whole))]
    gaps = [gap for trial in trials for gap in _gaps(trial)]
    names = [one.who for trial in trials for one in trial.models]
    return Evidence(
        inputs=sum(len(next(iter(group.values()))) for trial in trials for group in trial.groups),
        scale=max((gap.scale for gap in gaps), default=0.0),
        original_error=max((gap.original for gap in gaps), default=0.0),
        collapsed_error=max((gap.collapsed for gap in gaps), default=0.0),
        difference=max((gap.difference for gap in gaps), default=0.0),
        used=max((gap.used for gap in gaps), default=0.0),
        witness=" and ".join(dict.fromkeys(names)),
        whole=bool(whole),
        sizes=tuple(_first_shape(trial) for trial in whole),
        why_not="" if whole else why_not,
    )


def _whole(network: Network, collapsed: ir.Model) -> tuple[list[_Trial], str]:
    """The trials of the whole network, at two sizes where it has free axes; or why there are none."""
    found: list[_Trial] = []
    reasons = []
    for at in sized(network):
        one = _at_size(at, collapsed)
        if isinstance(one, str):
            reasons.append(one)
        else:
            found.append(one)
        if len(found) == SIZES_TRIED:
            break
    return found, reasons[0] if reasons else "the size of its input is not known"


def _on_several_rows(network: Network, whole: Sequence[_Trial]) -> bool:
    """Whether the whole network could be tried as far as it goes: one of several inputs on several rows as well."""
    one = len(network.inputs) == 1 or network.batch is not None
    return bool(whole) and (one or all(trial.models[0].together is not None for trial in whole))


def _first_shape(trial: _Trial) -> tuple[int, ...]:
    return next(iter(trial.groups[0].values())).shape[1:]


@dataclass(frozen=True, eq=False)
class _Known:
    """What is known of the original at one size, whatever it is held against.

    `rounding` is how far each output is from the truth, for each group, if what each op makes is rounded to a type of
    half precision: programs on a processor run such a network in float32, and it seems to have more digits than it has.
    """

    ran: _Ran
    groups: Sequence[Group]
    truths: Sequence[Outputs]
    rounding: Sequence[Outputs]


_KNOWN: WeakKeyDictionary[Network, _Known | str] = WeakKeyDictionary()
"""What is known of each network that is still there, or why nothing is."""


def _at_size(network: Network, collapsed: ir.Model) -> _Trial | str:
    """The trial of the network at its own sizes; the reason if nobody can run it or knows its truth."""
    if network not in _KNOWN:
        _KNOWN[network] = _known(network)
    known = _KNOWN[network]
    if isinstance(known, str):
        return known
    after = _ran(collapsed, known.groups, network.axes.rows if known.ran.together is not None else None)
    return _Trial((known.ran, after), known.groups, known.truths, known.rounding)


def _known(network: Network) -> _Known | str:
    names = {port.name for port in network.inputs}
    try:
        found = stretches(network)
        scalers = {k: v for stretch in found.stretches for k, v in scalers_of(stretch).items() if k in names}
        groups = input_probes(network, size(network, found).macs, scalers)
        ran = _ran(network.model, groups, network.axes.rows if network.batch is None else None)
        truths = [_true_outputs(network, group, found.maps) for group in groups]
        rounding = _roundings(network, groups, truths) if any(map(is_half, network.types.values())) else ()
    except ModelError as error:
        return f"{error.what} ({error.where[:MOST_SAID]})" if error.where else error.what
    except Unsupported as reason:
        return f"the float64 values of an op are not known here: {reason}"
    return _Known(ran, groups, truths, rounding)


def _true_outputs(network: Network, group: Group, maps: Maps) -> Outputs:
    values = evaluate(network, group, maps=maps)
    return [values[value.name or ""] for value in network.model.graph.outputs]


def _roundings(network: Network, groups: Sequence[Group], truths: Sequence[Outputs]) -> list[Outputs]:
    found = []
    with np.errstate(all="ignore"):
        for group, outputs in zip(groups, truths, strict=True):
            values = op_by_op(network, group)
            names = [value.name or "" for value in network.model.graph.outputs]
            apart = [np.abs(values[name] - truth) for name, truth in zip(names, outputs, strict=True)]
            found.append([np.max(np.where(np.isfinite(one), one, 0.0), axis=0, initial=0.0) for one in apart])
    return found


def _stretch(network: Network, collapsed: ir.Model, plan: Plan) -> _Trial:
    """The trial of one stretch, cut out of both models; the original's ends are put into the units of the other's."""
    stretch = plan.stretch
    made = {value.name for node in collapsed.graph for value in node.outputs}
    outputs = [name for name in stretch.outputs if name in made]
    models = [cut(network, model, stretch.read, outputs) for model in (network.model, collapsed)]
    read = dict.fromkeys(value.name or "" for model in models for value in model.graph.inputs)
    shapes = {name: network.shapes[name] for name in read}
    groups = probes(shapes, network.types, plan.before.macs, scalers_of(stretch))
    groups = [as_given(stretch, group) for group in groups]
    batched = network.batch is None and all(network.shapes[name][:1] == (1,) for name in read)
    inner = [{name: turned(array, stretch.inward.get(name)) for name, array in group.items()} for group in groups]
    axes = dict.fromkeys(read, 0)
    before = _ran(
        models[0], _read(models[0], inner), axes if batched and not stretch.inward and not stretch.outward else None
    )
    after = _ran(models[1], _read(models[1], groups), axes if before.together is not None else None)
    for rows in before.rows:
        rows[:] = [turned(array, stretch.outward.get(name)) for name, array in zip(outputs, rows, strict=True)]
    truths = []
    for group in groups:
        values = values_of(stretch, {name: array.astype(np.float64) for name, array in group.items()})
        truths.append([values[name] for name in outputs])
    return _Trial((before, after), groups, truths)


def _read(model: ir.Model, groups: Sequence[Group]) -> list[Group]:
    """What the model takes of some groups of values."""
    names = {value.name for value in model.graph.inputs}
    return [{name: array for name, array in group.items() if name in names} for group in groups]


def turned(array: np.ndarray, turn: Affine | None) -> np.ndarray:
    """Rows in other units, in their own type."""
    return array if turn is None else turn.apply(array.astype(np.float64)).astype(array.dtype)


def _ran(model: ir.Model, groups: Sequence[Group], axes: Mapping[str, int] | None) -> _Ran:
    """Run the model on every row of every group, and on several rows at once if `axes` says which axes count them.

    Two programs are never held at once: what the first took is free before the next is started.
    """
    ran = _run(model, groups, axes)
    give_back()
    return ran


def _run(model: ir.Model, groups: Sequence[Group], axes: Mapping[str, int] | None) -> _Ran:
    who, run = witness(model, {name: array[0] for name, array in groups[0].items()})
    rows = [_by_rows(run, group) for group in groups]
    if axes is None:
        return _Ran(who, rows, None)
    try:
        return _Ran(who, rows, run(together(groups[0], axes)))
    except Exception:  # a network that cannot take several rows has nothing to compare
        return _Ran(who, rows, None)


def _by_rows(run: Run, group: Group) -> Outputs:
    """Each output for each row of the group, run one by one."""
    rows = len(next(iter(group.values())))
    found = [run({name: array[row] for name, array in group.items()}) for row in range(rows)]
    return [np.stack(column) for column in zip(*found, strict=True)]


def _gaps(trial: _Trial) -> Iterator[Gap]:
    """How far both are from the truth, group by group; then both on several rows at once, where the original can."""
    before, after = trial.models
    rounding = trial.rounding or [[0.0] * len(outputs) for outputs in trial.truths]
    for arrays in zip(before.rows, after.rows, trial.truths, rounding, strict=True):
        yield from (_gap(*outputs, _share(trial, outputs[0])) for outputs in zip(*arrays, strict=True))
    if before.together is None:
        return
    if after.together is None:
        raise ModelError("it cannot run several rows at once, and the original can")
    rows = [truth[-TOGETHER:] for truth in trial.truths[0]]
    pairs = [
        [_own(each[-TOGETHER:], truth) for each, truth in zip(one.rows[0], rows, strict=True)]
        for one in (before, after)
    ]
    own = [max(pair) for pair in zip(*pairs, strict=True)]
    yield from (_together(*arrays) for arrays in zip(before.together, after.together, rows, own, strict=True))


def _share(trial: _Trial, output: np.ndarray) -> float:
    """The share of the usual units that is allowed: what half precision makes of the original is known op by op."""
    return HALF if trial.rounding and is_half(output.dtype) else 1.0


def _own(before: np.ndarray, truth: np.ndarray) -> float:
    """How far a network is from the truth at most, row by row; infinities and what has no truth left out."""
    if before.shape != truth.shape:
        return 0.0
    both = np.isfinite(before) & np.isfinite(truth)
    return float(np.max(np.abs(before[both].astype(np.float64) - truth[both]), initial=0.0))


def _together(before: np.ndarray, after: np.ndarray, rows: np.ndarray, own: float) -> Gap:
    """The gap of a run of several rows: to the truth of each row, or to the original's run where it mixes its rows.

    That run is no truth: it may itself be off by as much as `own`, by which either was off row by row.
    """
    if before.size == rows.size and before.shape == after.shape:
        apart = _gap(before.reshape(rows.shape), after.reshape(rows.shape), rows, own)
        if apart.original <= MIXING * apart.scale:
            return apart
    return _gap(before, after, before, own, HALF if is_half(before.dtype) else 1.0)


def _gap(
    before: np.ndarray, after: np.ndarray, truth: np.ndarray, known: float | np.ndarray = 0.0, share: float = 1.0
) -> Gap:
    """How far one output of the original and of the collapsed network are from the truth, (rows, *shape) each.

    The truth itself is only `known` to so much; so large a `share` of the usual units in the last place is allowed.
    """
    if before.shape != after.shape:
        raise ModelError("it gives outputs of another shape", where=f"{before.shape} became {after.shape}")
    unit = float(ml_dtypes.finfo(before.dtype).eps) if is_float(before.dtype) else 0.0
    unit *= share
    if truth.shape != before.shape:
        truth = before
    own, error, scale, difference = (np.zeros(before.shape[1:]) for _ in range(4))
    for row in zip(*map(np.atleast_1d, (before, after, truth)), strict=True):
        one, other, true = (np.asarray(array, dtype=np.float64) for array in row)
        finite = np.isfinite(one)
        if not np.array_equal(finite, np.isfinite(other)):
            return Gap(0.0, 0.0, np.inf, np.inf, np.inf)
        true = np.where(finite & np.isfinite(true), true, np.where(finite, one, 0.0))
        one, other = (np.where(finite, array, 0.0) for array in (one, other))
        pairs = (own, one - true), (error, other - true), (scale, true), (difference, other - one)
        for most, apart in pairs:
            np.maximum(most, np.abs(apart), out=most)
    largest = float(scale.max(initial=0.0))
    off = np.maximum(own, known if np.shape(known) == own.shape else np.max(known, initial=0.0))
    allowed = ALLOWED * off + OWN * off.max(initial=0.0) + FLOOR_ULPS * unit * scale + SPREAD_ULPS * unit * largest
    return Gap(
        scale=largest,
        original=float(own.max(initial=0.0)),
        collapsed=float(error.max(initial=0.0)),
        difference=float(difference.max(initial=0.0)),
        used=float(np.max(np.where(error > 0, error / np.maximum(allowed, np.finfo(float).tiny), 0.0), initial=0.0)),
    )
