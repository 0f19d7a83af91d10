"""The units of values between the stretches, followed from the stretches that set them to those that read them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

import numpy as np

from unbend.verify.certificate import Certificate, Stretch, Turn
from unbend.verify.frame import alive_nodes
from unbend.verify.measures import Values
from unbend.verify.ops import Unknown
from unbend.verify.piece import between
from unbend.verify.reading import File
from unbend.verify.trial import Side
from unbend.verify.turns import NONE, Bend, Stopped, agree, handed_on

ALIKE = 1e-9
"""Numbers of a row that should stay the same differ by rounding only: by less than this, relative to the largest."""


def disagreements(original: File, certificate: Certificate, shapes: Mapping[str, tuple[int | None, ...]]) -> list[str]:
    """Where a value is not held in the units that are stated for it, in sentences; empty where all are."""
    ends = {end.original: (one, end.turn) for one in certificate.stretches for end in one.outputs}
    if all(end.turn.is_none for one in certificate.stretches for end in (*one.sources, *one.outputs)):
        return []
    found: list[str] = []
    turns = {name: turn for name, (_, turn) in ends.items() if not turn.is_none}
    alive = alive_nodes(original, certificate)
    for node in original.nodes:
        if any(name in ends for name in node.outputs):
            found += _alike_outputs(
                original, next(ends[name][0] for name in node.outputs if name in ends), turns, shapes
            )
        elif node in alive and any(name in turns for name in (*node.inputs, *node.captured)):
            try:
                turn = handed_on(Bend(original, node, turns, shapes))
            except Stopped as reason:
                found.append(str(reason))
                continue
            turns |= {name: turn for name in node.outputs if not turn.is_none}
    found += [
        f"the stretch {stretch.label} begins at {end.original} in other units than it is held in"
        for stretch in certificate.stretches
        for end in stretch.sources
        if not agree(turns.get(end.original, NONE), end.turn)
    ]
    found = list(dict.fromkeys(found))
    return found + [f"the output {name} is held in other units" for name in original.outputs if name in turns]


def _alike_outputs(
    original: File, stretch: Stretch, turns: dict[str, Turn], shapes: Mapping[str, tuple[int | None, ...]]
) -> list[str]:
    """Hand on numbers that are not known and the same for a row, from the sources of a stretch to its outputs."""
    loose = [end.original for end in stretch.sources if turns.get(end.original, NONE).alike]
    if not loose:
        return []
    try:
        outcomes = list(zip(stretch.outputs, _of_alike(original, stretch, loose, shapes), strict=True))
    except Unknown as reason:
        return [str(reason)]
    turns |= {end.original: replace(end.turn, alike=True) for end, rows in outcomes if rows.any()}
    if all(_is_alike(rows) for _, rows in outcomes):
        return []
    return [f"the stretch {stretch.label} does not hand on what is the same for a row"]


def _of_alike(
    original: File, stretch: Stretch, loose: Collection[str], shapes: Mapping[str, tuple[int | None, ...]]
) -> Iterator[np.ndarray]:
    """What the stretch makes of numbers that are the same along the last axis of some of its sources."""
    rng, sizes = np.random.default_rng(0), stretch.shapes[0]
    zeros = {end.original: np.zeros(sizes[end.original]) for end in stretch.sources}
    rows = {name: np.broadcast_to(rng.standard_normal((*sizes[name][:-1], 1)), sizes[name]) for name in loose}
    zeros |= {end.original: rng.standard_normal(sizes[end.original]) for end in stretch.sources if end.given}
    piece = between(original, list(zeros), [end.original for end in stretch.outputs], shapes)
    side = Side(piece, stretch.sources, stretch.outputs, turned=True)
    for one, zero in zip(side(zeros | rows, Values()), side(zeros, Values()), strict=True):
        yield one.array - zero.array


def _is_alike(rows: np.ndarray) -> bool:
    """Whether the numbers are the same along the last axis, up to rounding."""
    return bool(rows.ndim) and bool(np.ptp(rows, axis=-1).max(initial=0.0) <= ALIKE * np.abs(rows).max(initial=0.0))
