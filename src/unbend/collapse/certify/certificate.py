"""The certificate: why a collapsed network computes the same as the original, and how nearly.

Stretch by stretch it states a bound on the difference that holds for every finite input (`bound`); beside that stands
what was seen when both networks were run (`evidence`). It is saved as JSON beside the collapsed model, with the
fingerprints of both files; `unbend.verify` checks it again and shares no code with this.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from unbend.affine import Affine
from unbend.collapse.certify.bound import Bound, bound
from unbend.collapse.certify.evidence import SIZES_TRIED, Evidence, evidence
from unbend.collapse.certify.half import Half
from unbend.collapse.certify.lipschitz import carries
from unbend.collapse.find.stretches import inverse
from unbend.collapse.write.probes import sized
from unbend.collapse.write.rewrite import Plan
from unbend.network import Network, input_shapes
from unbend.network.external import data_files
from unbend.network.read import from_file
from unbend.result import plain

FORMAT = 2
"""The form of the JSON file; `unbend.verify` says which it reads."""

PACKAGES = ("unbend", "numpy", "onnx", "onnx-ir", "onnxruntime")

MEANING = (
    "For every finite x, and each number of each output of each stretch: |f(x) - g(x)| <= collapsed |W_g| |x| + "
    "offset |g|(0) + original |f|(x) + settled |f|(0), where f and g are the stretch in the original and in the "
    "collapsed file, computed exactly from the stored numbers. |W_g| and |g|(0) are made of the absolute values of its "
    "numbers, none of which, nor a missing offset, counts for less than the smallest normal number of its type; "
    "|f|(x) = |W_f| |x| + |f|(0) is made of the absolute values of the original's."
)

EXECUTION = (
    "executed: how far running a stretch in its stored type can be from the exact function for |x| <= 1, if numbers "
    "are rounded to nearest, sums are made in any order (in float32 at least), and nothing overflows. Between the "
    "stretches, a bend with a Lipschitz constant of 1 hands a difference on without making it larger."
)


@dataclass(frozen=True, eq=False)
class Held:
    """A value at an end of a stretch: its names in both files, and v_collapsed = scale v_original + shift.

    A `given` one takes part in a product as if it were a constant.
    """

    original: str
    collapsed: str
    scale: np.ndarray | None = None
    shift: np.ndarray | None = None
    given: bool = False


@dataclass(frozen=True, eq=False)
class Promise:
    """What is promised of one stretch."""

    label: str
    sources: tuple[Held, ...]
    outputs: tuple[Held, ...]
    tensors: Mapping[str, tuple[str, ...]]
    rules: tuple[str, ...]
    dtype: str
    shapes: tuple[Mapping[str, tuple[int, ...]], ...]
    bound: Bound


@dataclass(frozen=True)
class Certificate:
    """The promises, stretch by stretch, and what was seen when both networks were run.

    `bends` are the kinds of bends between the stretches: how many, and by how much the steepest of them can stretch a
    difference (None where that is not bounded). `half` says what was seen op by op, of a network in half precision.
    """

    evidence: Evidence
    promises: tuple[Promise, ...] = field(repr=False)
    bends: Mapping[str, tuple[int, float | None]] = field(default_factory=dict)
    sizes: tuple[Mapping[str, tuple[int, ...]], ...] = ()
    original: str | None = None
    half: Half | None = None

    @property
    def holds(self) -> bool:
        """Whether every bound held where it was tried, and the collapsed network is as close to the truth as rounding
        allows."""
        return self.evidence.holds and all(one.bound.holds for one in self.promises)

    @property
    def relative(self) -> float:
        """The largest difference of a stretch's output for |x| ≤ 1, relative to what the output can be there."""
        return max((one.bound.relative for one in self.promises), default=0.0)

    def to_json(self, collapsed: str | Path, original: str | Path | None = None) -> str:
        """The certificate for the model in the file `collapsed`, as JSON.

        `original` is the file that was read; None where the network did not come from a file.
        """
        return to_json(self, collapsed, original if original is not None else self.original)


def certify(network: Network, collapsed: ir.Model, plans: Sequence[Plan]) -> Certificate:
    """Bound the difference of every rewritten stretch, and run both networks.

    Raises
    ------
    ModelError
        The collapsed model cannot be run although the original can, or gives outputs of another shape.
    """
    counts = Counter(node.op_type for node in network.bends)
    at = _sizes(network, plans)
    promises = tuple(_promise(network, collapsed, one, at) for one in plans)
    seen = evidence(network, collapsed, plans)
    bends = {name: (count, carries(name)) for name, count in counts.items()}
    shapes = tuple(input_shapes(one) for one in at)
    return Certificate(seen, promises, bends, shapes, network.path)


def _sizes(network: Network, plans: Sequence[Plan]) -> list[Network]:
    """The network, and where it has free axes the network at an even and an odd length of them."""
    if not network.free_axes:
        return [network]
    names = {name for one in plans for name in one.stretch.read}
    return [network, *islice((one for one in sized(network) if names <= one.shapes.keys()), SIZES_TRIED)]


def _promise(network: Network, collapsed: ir.Model, plan: Plan, sizes: Sequence[Network]) -> Promise:
    stretch, values = plan.stretch, _values(collapsed)
    dtypes = {str(network.dtype(name)) for name in stretch.outputs}
    undone = {name: inverse(turn) for name, turn in stretch.inward.items()}
    names = {name: _name(plan, name, values) for name in stretch.outputs}
    return Promise(
        label=stretch.label,
        sources=(
            *(_held(name, name, undone.get(name)) for name in dict.fromkeys(stretch.sources)),
            *(Held(name, name, given=True) for name in stretch.given),
        ),
        outputs=tuple(_held(name, names[name], stretch.outward.get(name)) for name in stretch.outputs),
        tensors={
            "original": _constants(network, plan),
            "collapsed": _initializers([values[name] for name in names.values()], {*stretch.read}),
        },
        rules=tuple(dict.fromkeys(plan.rules)),
        dtype=" ".join(sorted(dtypes)),
        shapes=tuple({name: one.shapes[name] for name in stretch.read} for one in sizes),
        bound=bound(network, plan),
    )


def _values(model: ir.Model) -> dict[str, ir.Value]:
    made = (value for node in model.graph for value in node.outputs)
    return {value.name: value for value in (*model.graph.inputs, *made) if value.name}


def _name(plan: Plan, name: str, values: Mapping[str, ir.Value]) -> str:
    """What the collapsed file calls an output; one that nothing makes any more is another value, passed on."""
    while name not in values:
        name = next(edge.source for edge in plan.edges if edge.target == name)
    return name


def _held(original: str, collapsed: str, turn: Affine | None) -> Held:
    if turn is None:
        return Held(original, collapsed)
    scale = getattr(turn.linear, "scale", None)
    return Held(original, collapsed, None if scale is None else scale[0], turn.offset if turn.offset.any() else None)


def _constants(network: Network, plan: Plan) -> tuple[str, ...]:
    names = (name for node in plan.stretch.nodes for name in node.inputs if name in network.constants)
    return tuple(dict.fromkeys(names))


def _initializers(outputs: Sequence[ir.Value], sources: set[str]) -> tuple[str, ...]:
    """The initializers that are read on the way to some values from others."""
    found: dict[str, None] = {}
    waiting, seen = list(outputs), set()
    while waiting:
        value = waiting.pop()
        if value in seen or value.name in sources:
            continue
        seen.add(value)
        if value.is_initializer():
            found[value.name or ""] = None
        elif (node := value.producer()) is not None:
            waiting += [one for one in node.inputs if one is not None]
    return tuple(found)


def to_json(certificate: Certificate | None, collapsed: str | Path, original: str | Path | None) -> str:
    """The certificate as JSON; None for a network of which nothing was rewritten."""
    found: dict[str, Any] = {
        "verb": "certificate",
        "format": FORMAT,
        "meaning": MEANING,
        "execution": EXECUTION,
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "original": fingerprint(original),
        "collapsed": fingerprint(collapsed),
        **(_parts(certificate) if certificate is not None else {"evidence": None, "sizes": [], "stretches": []}),
    }
    return json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _parts(certificate: Certificate) -> dict[str, Any]:
    return {
        "evidence": plain(certificate.evidence),
        **({"half": plain(certificate.half)} if certificate.half is not None else {}),
        "bends": {name: {"count": n, "lipschitz": slope} for name, (n, slope) in certificate.bends.items()},
        "sizes": [{name: list(shape) for name, shape in size.items()} for size in certificate.sizes],
        "stretches": [_stretch(one) for one in certificate.promises],
    }


def _stretch(one: Promise) -> dict[str, Any]:
    ends = {"sources": [_end(held) for held in one.sources], "outputs": [_end(held) for held in one.outputs]}
    shapes = [{name: list(shape) for name, shape in size.items()} for size in one.shapes]
    rest = {"tensors": one.tensors, "rules": one.rules, "type": one.dtype, "bound": one.bound}
    return {"label": one.label, **ends, "shapes": shapes, **plain(rest)}


def _end(held: Held) -> dict[str, Any]:
    found: dict[str, Any] = {"original": held.original, "collapsed": held.collapsed}
    if held.given:
        found["given"] = True
    if held.scale is not None:
        found["scale"] = held.scale.tolist()
    if held.shift is not None:
        found["shift"] = held.shift.tolist()
    return found


def fingerprint(path: str | Path | None) -> dict[str, Any]:
    """The name of a model's file and the SHA-256 of it and of each data file beside it; nulls where there is none."""
    if path is None:
        return {"file": None, "sha256": None, "data": {}}
    path = Path(path)
    data = {name: _sha256(path.parent / name) for name in data_files(from_file(path))}
    return {"file": path.name, "sha256": _sha256(path), "data": data}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
