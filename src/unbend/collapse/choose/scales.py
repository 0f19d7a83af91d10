"""Scales that pass through bends: values between stretches that may be held in other units.

A bend f lets a scale through where f(s x) = s' f(x) for every finite x. With s, t > 0 for each element or channel:

    Relu, LeakyRelu, PRelu, Abs, Clip and Max against 0      f(s x) = s f(x), as s > 0 changes no sign
    MaxPool, GlobalMaxPool                                   the same, if s is one number for each channel
    Mul, MatMul, Div of two variable values                  (s a)(t b) = s t (a b), for any s and t but 0
    MatMul along the axis that is summed                     (a s)(b / s) = a b

`held` gives every set of values that can be held in other units together with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from unbend.affine import Shape
from unbend.network import Network, Node

Scales = Mapping[str, np.ndarray]
"""For each value the scale that it is held with: as many axes as the value has, each of length 1 or the value's own."""

Rule = Callable[[Network, Node, Scales], Iterator[Scales]]
RULES: dict[str, Rule] = {}

MAX_VALUES = 16
"""No more values than this are held in other units for the sake of one scale."""


def passes(*op_types: str) -> Callable[[Rule], Rule]:
    """Register how scales pass through some ops: from what is known of a node's values to what all of them may be."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(op_types, function))
        return function

    return register


def held(network: Network, scales: Scales, solved: Collection[Node] = ()) -> Iterator[Scales]:
    """Every way to hold more values in other units so that all bends between them let the scales through."""
    if len(scales) > MAX_VALUES or any(_is_bound(network, name) or not _is_usable(s) for name, s in scales.items()):
        return
    node = next((node for node in _bends_at(network, scales) if node not in solved), None)
    if node is None:
        yield scales
        return
    rule = RULES.get(node.op_type) if node.domain in ("", "ai.onnx") and network.has_shapes(node) else None
    for found in rule(network, node, scales) if rule else ():
        around = {other for name in found if name not in scales for other in _around(network, name)} - {node}
        yield from held(network, {**scales, **found}, {*solved, node} - around)


def _is_usable(scale: np.ndarray) -> bool:
    with np.errstate(all="ignore"):
        return bool(scale.all() and np.isfinite(scale).all() and np.isfinite(1.0 / scale).all())


def _is_bound(network: Network, name: str) -> bool:
    """Whether the value must keep its units: somebody outside, or in a subgraph, reads or gives it."""
    public = {port.name for port in (*network.inputs, *network.outputs)}
    return name in public or name in network.captured or name not in network.producers


def _around(network: Network, name: str) -> list[Node]:
    """The node that makes a value, if one does, and those that read it."""
    made = [network.producers[name]] if name in network.producers else []
    return [*made, *network.readers.get(name, ())]


def _bends_at(network: Network, scales: Scales) -> list[Node]:
    """The bends that read or make any of the values."""
    nodes = dict.fromkeys(node for name in scales for node in _around(network, name))
    return [node for node in nodes if network.reach(node) != "everywhere"]


def _same(network: Network, node: Node, scales: Scales, per_channel: bool = False) -> Iterator[Scales]:
    """One positive scale for all variable values of the node."""
    names = [node.inputs[i] for i in network.variable_inputs(node)] + [name for name in node.outputs if name]
    known = [scales[name] for name in names if name in scales]
    scale = known[0]
    if not (scale > 0).all() or any(not np.array_equal(scale, other) for other in known):
        return
    if per_channel and any(size != 1 for axis, size in enumerate(scale.shape) if axis != 1):
        return
    found = {name: fitted(scale, network.shapes[name]) for name in names}
    if all(other is not None for other in found.values()):
        yield {name: other for name, other in found.items() if other is not None}


@passes("Relu", "LeakyRelu", "Abs")
def _homogeneous(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """f(s x) = s f(x) for s > 0."""
    yield from _same(network, node, scales)


@passes("PRelu")
def _prelu(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """The same while the slope is a constant."""
    if network.variable_inputs(node) == (0,):
        yield from _same(network, node, scales)


@passes("Clip")
def _clip(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """The same where it holds back at 0 on one side, and at nothing on the other."""
    limits = [_limit(network, node, i, end) for i, end in ((1, -np.inf), (2, np.inf))]
    if network.variable_inputs(node) == (0,) and all(limit == 0 or np.isinf(limit) for limit in limits):
        yield from _same(network, node, scales)


def _limit(network: Network, node: Node, position: int, default: float) -> float:
    """The limit of a Clip, given as an input or, in old files, as an attribute."""
    name = node.inputs[position] if len(node.inputs) > position else ""
    if name in network.constants and network.constants[name].size == 1:
        return float(network.constants[name].reshape(()))
    return float(node.attribute(("min", "max")[position - 1], default)) if not name else np.nan


@passes("Max", "Min")
def _extremum(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """max(s a, s b) = s max(a, b) for s > 0; a constant among them must be 0."""
    constants = [network.constants[name] for name in node.inputs if name in network.constants]
    if not any(np.asarray(constant, dtype=np.float64).any() for constant in constants):
        yield from _same(network, node, scales)


@passes("MaxPool", "GlobalMaxPool")
def _largest(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """The same for one number a channel, while nobody reads the positions."""
    if len([name for name in node.outputs if name]) == 1:
        yield from _same(network, node, scales, per_channel=True)


@passes("Mul")
def _product(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """(s a) ∘ (t b) = s t (a ∘ b)."""
    (a, b), y = node.inputs, node.outputs[0]
    if a != b:
        yield from _bilinear(network, (a, b, y), scales, lambda s, _: s)


@passes("Div")
def _quotient(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """(s a) / b = s (a / b): only the dividend's scale is carried."""
    a, y = node.inputs[0], node.outputs[0]
    known = scales.get(y, scales.get(a))
    if node.inputs[1] in scales or known is None or not network.variable(a) or a == node.inputs[1]:
        return
    found = {name: fitted(known, network.shapes[name]) for name in (a, y)}
    if found[a] is not None and found[y] is not None and all(_equal(scales, n, s) for n, s in found.items()):
        yield {name: scale for name, scale in found.items() if scale is not None}


def _equal(scales: Scales, name: str, scale: np.ndarray | None) -> bool:
    return name not in scales or (scale is not None and np.array_equal(scales[name], scale))


@passes("MatMul")
def _matmul(network: Network, node: Node, scales: Scales) -> Iterator[Scales]:
    """(diag s a)(b diag t) = diag s (a b) diag t, and (a diag s)(diag s⁻¹ b) = a b."""
    (a, b), y = node.inputs, node.outputs[0]
    if a == b or min(len(network.shapes[name]) for name in (a, b)) < 2:
        return
    if (a in scales) != (b in scales) and y not in scales:
        yield from _across(network, a, b, scales)
    yield from _bilinear(network, (a, b, y), scales, _outside)


def _outside(scale: np.ndarray, side: int) -> np.ndarray | None:
    """The scale, if it is the same along the axis of its factor that is summed (0: columns of a, 1: rows of b)."""
    return scale if scale.ndim < 2 or scale.shape[(-1, -2)[side]] == 1 else None


def _across(network: Network, a: str, b: str, scales: Scales) -> Iterator[Scales]:
    """A scale along the axis that is summed is undone by the other factor."""
    one, other = (a, b) if a in scales else (b, a)
    scale = scales[one]
    if scale.ndim == len(network.shapes[other]) and scale.shape[-2 if one == a else -1] == 1:
        turned = fitted(np.swapaxes(1.0 / scale, -1, -2), network.shapes[other])
        if turned is not None:
            yield {other: turned}


def _bilinear(
    network: Network,
    names: tuple[str, str, str],
    scales: Scales,
    outside: Callable[[np.ndarray, int], np.ndarray | None],
) -> Iterator[Scales]:
    """y = a · b with one of a and b held in the units of y; `outside` says which scales may leave a factor."""
    y = names[2]
    if len([name for name in names if name in scales]) != 1:
        return
    for side, factor in enumerate(names[:2]):
        known = scales.get(y, scales.get(factor))
        if known is None or outside(known, side) is None:
            continue
        own, product = fitted(known, network.shapes[factor]), fitted(known, network.shapes[y])
        if own is not None and product is not None:
            yield {factor: own, y: product}


def fitted(scale: np.ndarray, shape: Shape) -> np.ndarray | None:
    """The scale with as many axes as `shape` has, aligned at the right; None where it does not broadcast to it."""
    extra = scale.ndim - len(shape)
    if extra > 0 and any(size != 1 for size in scale.shape[:extra]):
        return None
    scale = scale.reshape(scale.shape[extra:]) if extra > 0 else scale.reshape((1,) * -extra + scale.shape)
    return scale if all(a in (1, b) for a, b in zip(scale.shape, shape, strict=True)) else None
