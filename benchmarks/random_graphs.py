"""Ten thousand random networks: is any collapsed to something else, to something dearer, or not all the way?

The networks are those of the tests (`tests/collapse/random_graphs.py`): chains, branches, shared weights, borders and
moves, with bends between them, in float32, float16, bfloat16 and with a free height and width. Each collapsed one is
held against the float64 truth of the original by ONNX's reference evaluator, and against its run by onnxruntime.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import onnx

from benchmarks.measure import survey

GRAPHS = 10_000

FAULTS = ("wrong", "dearer", "not idempotent", "certificate failed", "verify failed", "error")
"""What may be found; `certificate failed` counts networks with a form that the certificate refused, so that it was not
written."""

FLOOR = 0.05
"""Where outputs cancel to almost nothing, rounding is measured against this share of the input."""

GROWTH = 1.1
"""The numbers of a network may grow by a tenth."""

TESTS = Path(__file__).parents[1] / "tests"


@survey(
    f"{GRAPHS:,} random networks, each collapsed and held to the truth, to its own price and to its certificate. "
    "`certificate failed` were not written in that form: the certificate did what it is for.",
    "unbend",
    "onnx",
    "onnxruntime",
)
def random_graphs() -> str:
    """A row for each kind of network, and one for all."""
    return table(faults(range(GRAPHS)))


def faults(seeds: Iterable[int]) -> Counter[tuple[str, str]]:
    """How often each fault was found, by kind and fault, with the number of networks, of those changed, and seconds."""
    sys.path[:0] = [str(TESTS / folder) for folder in ("network", "collapse")]
    from random_graphs import random_kind

    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            kind, model = random_kind(seed)
            start = time.process_time()
            for what in found(model, kind, Path(folder)):
                counts[kind, what] += 1
                if what in FAULTS:
                    print(f"  {what}: {kind} network of seed {seed}", file=sys.stderr)
            counts[kind, "networks"] += 1
            counts[kind, "CPU s"] += time.process_time() - start  # type: ignore[assignment]
    return counts


def found(model: onnx.ModelProto, kind: str, folder: Path) -> list[str]:
    """What is to be said of one network."""
    from unbend.collapse import collapse

    try:
        once = collapse(model, cost="macs")
        again = collapse(once.to_onnx(), cost="macs")
        wrong = _faults(model, kind, once)
        verified = not once.changed or _is_verified(model, once, folder)
    except Exception as error:
        print(f"  {type(error).__name__}: {' '.join(str(error).split())[:300]}", file=sys.stderr)
        return ["error"]
    said = {
        "changed": once.changed,
        "wrong": wrong,
        "dearer": _is_dearer(once),
        "not idempotent": again.changed,
        "certificate failed": any("certif" in one.reason for one in once.stretches),
        "verify failed": not verified,
    }
    return [what for what, is_so in said.items() if is_so]


def _faults(model: onnx.ModelProto, kind: str, once: Any) -> bool:
    """Whether the collapsed network computes something else, or has other names, types or shapes."""
    from witness import assert_agree, assert_kept

    smaller = once.to_onnx()
    onnx.checker.check_model(smaller, full_check=True)
    axes = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
    lengths = iter((9, 12)) if kind == "dynamic" else iter(())
    shapes = [(axes[0] or rows, *(size or next(lengths, 11) for size in axes[1:])) for rows in (1, 3)]
    return _fails(lambda: assert_kept(model, smaller)) or _fails(lambda: assert_agree(model, smaller, shapes, FLOOR))


def _fails(check: Callable[[], None]) -> bool:
    try:
        check()
    except AssertionError as error:
        print(f"  {' '.join(str(error).split())[:300]}", file=sys.stderr)
        return True
    return False


def _is_dearer(once: Any) -> bool:
    before, after = once.before, once.after
    grown = after.parameters > GROWTH * before.parameters
    return after.nodes > before.nodes or after.macs > before.macs or grown


def _is_verified(model: onnx.ModelProto, once: Any, folder: Path) -> bool:
    """Whether the checker that shares no code with the collapse finds the certificate to hold."""
    from unbend.verify import verify

    original, smaller, certificate = (folder / name for name in ("a.onnx", "b.onnx", "b.certificate.json"))
    onnx.save(model, original)
    onnx.save(once.to_onnx(), smaller)
    certificate.write_text(once.certificate.to_json(smaller, original))
    found = verify(original, smaller, certificate)
    for line in (*found.wrong, *found.unread):
        print(f"  {line[:300]}", file=sys.stderr)
    return found.holds


def table(counts: Counter[tuple[str, str]]) -> str:
    """The counts in Markdown."""
    columns = ["networks", "changed", *FAULTS, "CPU s"]
    kinds = sorted({kind for kind, _ in counts})
    lines = ["| | " + " | ".join(columns) + " |", "|---" + "|---:" * len(columns) + "|"]
    for name, rows in (*((kind, [kind]) for kind in kinds), ("all", kinds)):
        cells = [f"{sum(counts[kind, column] for kind in rows):,.0f}" for column in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
