"""Everything outside the stretches: both files must be the same there, whatever the values are called.

Each value is known by how it is made: an input by its name, a constant by its numbers, the output of a stretch by the
stretch, anything else by its node's op, attributes and inputs. Two values known by the same are equal. The graphs have
no cycles, so it is enough that each stretch starts from equal values and that the outputs of both files are equal.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unbend.verify.certificate import Certificate, End
from unbend.verify.reading import File, Node

COMMUTE = frozenset({"Add", "Mul"})
"""Ops that make the same of their two inputs in either order, to the last bit."""

MAX_NAMED = 3
"""So many differing nodes are named."""

MOST_TOLD = 60
"""A value of an attribute is written out up to so many characters."""


Shapes = Mapping[str, tuple[int | None, ...]]
"""The shapes of values by their names."""


@dataclass(eq=False)
class Known:
    """How each value of a file is made: its name to a fingerprint.

    `given` are those of the outputs of stretches, `passed` the outputs that are a source of their stretch, unchanged.
    `shapes` are those of the file's values at one size, as far as they are known: how many axes each has.
    """

    file: File
    given: Mapping[str, str]
    passed: Mapping[str, str] = field(default_factory=dict)
    shapes: Shapes = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """The fingerprint of a value; nodes are looked at in order, so what it reads is known already."""
        if name in self.passed:
            return self.of(self.passed[name])
        if name in self.given:
            return self.given[name]
        if name not in self.made:
            self.made[name] = self._leaf(name)
        return self.made[name]

    def _leaf(self, name: str) -> str:
        if not name:
            return "absent"
        if name in self.file.inputs:
            return f"input {name}"
        return _digest("constant", self.file.constants[name]) if name in self.file.constants else f"unknown {name}"

    def see(self, node: Node) -> str:
        """Take a node in; its own fingerprint."""
        inputs = [self.of(name) for name in node.inputs]
        if node.op_type in COMMUTE and node.domain == "":
            inputs = sorted(map(self._term, node.inputs, [node.outputs[0]] * len(inputs)))
        captured = [(name, self.of(name)) for name in node.captured]
        made = _digest(node.domain, node.op_type, node.version, _sorted(node.attributes), inputs, captured)
        self.made |= {name: f"{made}.{i}" for i, name in enumerate(node.outputs) if name}
        return made

    def _term(self, name: str, output: str) -> str:
        """The fingerprint of what is broadcast to an output; a constant's is that with as many axes as the output."""
        shape = self.shapes.get(output)
        if shape is None or name not in self.file.constants or name in self.given or name in self.passed:
            return self.of(name)
        array = self.file.constants[name]
        return _digest("constant", array.reshape((1,) * (len(shape) - array.ndim) + array.shape))


def _sorted(attributes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(attributes.items())


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in _flat(parts):
        digest.update(part)
    return digest.hexdigest()


def _flat(part: Any) -> Iterator[bytes]:
    """A value as bytes, with its type and its length, so that no two different ones give the same."""
    if isinstance(part, np.ndarray):
        yield f"array {part.dtype.name} {part.shape} ".encode()
        yield np.ascontiguousarray(part).tobytes()
    elif isinstance(part, bytes):
        yield b"bytes %d " % len(part) + part
    elif isinstance(part, (list, tuple)):
        yield b"list %d " % len(part)
        for one in part:
            yield from _flat(one)
    else:
        text = f"{type(part).__name__} {part!r}".encode()
        yield b"%d " % len(text) + text


def differences(
    original: File, collapsed: File, certificate: Certificate, shapes: tuple[Shapes, Shapes] = ({}, {})
) -> list[str]:
    """Where the files differ outside the stretches, in sentences; empty where they do not."""
    before, after = _known(original, collapsed, certificate, shapes)
    found = [*_ports(original, collapsed), *_named_twice(certificate)]
    alive = alive_nodes(original, certificate)
    nodes = {node: before.see(node) for node in original.nodes}
    here = {after.see(node) for node in collapsed.nodes}
    missing = [node for node in original.nodes if node in alive and nodes[node] not in here]
    read = {after.of(name) for node in collapsed.nodes for name in node.inputs}
    first = [node for node in missing if all(before.of(name) in read or not name for name in node.inputs)]
    found += [_changed(node, collapsed) for node in (first or missing)[:MAX_NAMED]]
    found += [
        _elsewhere(stretch.label, end, original, collapsed)
        for stretch in certificate.stretches
        for end in stretch.sources
        if before.of(end.original) != after.of(end.collapsed)
    ]
    found += [
        f"the output {name} is not made from the same values"
        for name in original.outputs
        if name in collapsed.outputs and before.of(name) != after.of(name) and not missing
    ]
    return found


def _elsewhere(label: str, end: End, original: File, collapsed: File) -> str:
    """That a stretch begins at another value, which may have the same name."""
    if end.original == end.collapsed:
        return f"the stretch {label} begins at {end.original}, which is not made from the same values in both files"
    return (
        f"the stretch {label} does not begin at the same value: {end.original} in {original.path.name}, "
        f"{end.collapsed} in {collapsed.path.name}"
    )


def _known(
    original: File, collapsed: File, certificate: Certificate, shapes: tuple[Shapes, Shapes]
) -> tuple[Known, Known]:
    """What is known of both files before any node is looked at: the outputs of stretches."""
    passed, own, new = {}, {}, {}
    for i, stretch in enumerate(certificate.stretches):
        sources = {end.collapsed: end.original for end in stretch.sources}
        for end in stretch.outputs:
            if end.collapsed in sources:
                passed[end.original] = sources[end.collapsed]
            else:
                own[end.original] = new[end.collapsed] = f"stretch {i} {end.collapsed}"
    return Known(original, own, passed, shapes[0]), Known(collapsed, new, {}, shapes[1])


def _named_twice(certificate: Certificate) -> Iterator[str]:
    """A value that two stretches claim to make would be taken for both; a source may be passed on by several."""
    passed = {end.collapsed for one in certificate.stretches for end in one.sources}
    original = [{end.original for end in one.outputs} for one in certificate.stretches]
    collapsed = [{end.collapsed for end in one.outputs} - passed for one in certificate.stretches]
    for claims in (original, collapsed):
        counts = Counter(name for each in claims for name in each)
        yield from (f"two stretches claim to make {name}" for name in sorted(counts) if counts[name] > 1)


def _ports(original: File, collapsed: File) -> Iterator[str]:
    """Inputs, outputs and opset must be the same."""
    for kind in ("inputs", "outputs"):
        own, other = getattr(original, kind), getattr(collapsed, kind)
        if list(own) != list(other):
            yield f"the {kind} are {_list(own)} in {original.path.name} and {_list(other)} in {collapsed.path.name}"
        yield from (
            f"{name} is {own[name]} in {original.path.name} and {other[name]} in {collapsed.path.name}"
            for name in own
            if name in other and own[name] != other[name]
        )
    if original.opsets.get("") != collapsed.opsets.get(""):
        yield f"the opset is {original.opsets.get('')} and became {collapsed.opsets.get('')}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def alive_nodes(file: File, certificate: Certificate) -> set[Node]:
    """The nodes that the outputs need, without those inside the stretches."""
    ends = {end.original: one for one in certificate.stretches for end in one.outputs}
    alive: set[Node] = set()
    seen: set[str] = set()
    waiting: list[str] = list(file.outputs)
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in ends:
            waiting += [end.original for end in ends[name].sources]
        elif (node := file.makers.get(name)) is not None:
            alive.add(node)
            waiting += [*node.inputs, *node.captured]
    return alive


def _changed(node: Node, collapsed: File) -> str:
    """What became of a node that has no equal in the collapsed file."""
    twins = [one for one in collapsed.nodes if one.op_type == node.op_type and _same_place(one, node)]
    if not twins:
        return f"{node.label} has no equal in {collapsed.path.name}"
    other = twins[0]
    changed = [key for key in {*node.attributes, *other.attributes} if not _same(node, other, key)]
    if changed:
        key = min(changed)
        return f"{node.label}: its attribute {key} {_told(*(one.attributes.get(key) for one in (node, other)))}"
    return f"{node.label} reads other values in {collapsed.path.name}"


def _told(old: Any, new: Any) -> str:
    """What became of an attribute: a body or many numbers are not written out."""
    values = ["its default" if one is None else str(one) for one in (old, new)]
    return f"was {values[0]} and became {values[1]}" if max(map(len, values)) <= MOST_TOLD else "is another"


def _same_place(one: Node, other: Node) -> bool:
    return bool({*one.outputs} & {*other.outputs}) or (bool(one.name) and one.name == other.name)


def _same(one: Node, other: Node, key: str) -> bool:
    missing: Sequence[None] = (None,)
    return list(_flat(one.attributes.get(key, missing))) == list(_flat(other.attributes.get(key, missing)))
