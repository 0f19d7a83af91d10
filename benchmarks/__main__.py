"""The runner: finds the benchmarks, runs them, writes RESULTS.md."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import benchmarks
from benchmarks.measure import BENCHMARKS, OURS, Benchmark, Outcome, Row, Survey, run

RESULTS = Path(__file__).with_name("RESULTS.md")

HEAD = """# Measured against peers

Written by `python -m benchmarks`; do not edit.

Unless a section says otherwise, it is one run in one process: the contenders take turns, the first round is dropped,
the figure is the median of the CPU time over all threads, and its range is beside it. A ratio above 1 means that the
contender needs more than unbend. Ratios carry over to other machines, seconds do not.

Python {python}. BLAS and OpenMP run with one thread if the environment says so: `OPENBLAS_NUM_THREADS=1
OMP_NUM_THREADS=1`, which `make benchmark` sets.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks whose names are given, or all, and write their sections of RESULTS.md; others stay."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=benchmarks.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (all)")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where to write (RESULTS.md)")
    chosen = parser.parse_args(arguments)
    discover()
    if chosen.list:
        print(*(f"{one.name:20} {one.about}" for one in BENCHMARKS), sep="\n")
        return 0
    if unknown := set(chosen.names) - {one.name for one in BENCHMARKS}:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; --list names them")
    outcomes = [_announced(one) for one in BENCHMARKS if not chosen.names or one.name in chosen.names]
    before = chosen.output.read_text(encoding="utf-8") if chosen.output.exists() else ""
    chosen.output.write_text(report(outcomes, before), encoding="utf-8")
    print(f"written: {chosen.output}")
    return 0


def discover() -> None:
    """Import every file of this folder, so that its benchmarks register themselves."""
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"benchmarks.{module.name}")


def _announced(benchmark: Benchmark | Survey) -> Outcome:
    print(f"{benchmark.name} …", file=sys.stderr, flush=True)
    outcome = run(benchmark)
    print(table(outcome), file=sys.stderr)
    for row in outcome.rows:
        if row.missing:
            print(f"warning: {row.name} does not take part: {row.missing}", file=sys.stderr)
    return outcome


def report(outcomes: Sequence[Outcome], before: str = "") -> str:
    """The text of RESULTS.md: new sections for these outcomes, the others as they were `before`."""
    written = _sections(before) | {one.benchmark.name: _section(one) for one in outcomes}
    sections = [written[one.name] for one in BENCHMARKS if one.name in written]
    return "\n".join([HEAD.format(python=platform.python_version()), *sections])


def _sections(text: str) -> dict[str, str]:
    """The sections of an earlier RESULTS.md by name."""
    parts = text.split("\n## ")[1:]
    return {part.split("\n", 1)[0]: f"## {part.rstrip()}\n" for part in parts}


def _section(outcome: Outcome) -> str:
    parts = [f"## {outcome.benchmark.name}\n\n{outcome.benchmark.about}\n", table(outcome)]
    if outcome.versions:
        parts.append(", ".join(f"{name} {version}" for name, version in outcome.versions.items()) + ".")
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def table(outcome: Outcome) -> str:
    """The rows of one benchmark as a Markdown table, or what a survey wrote."""
    if outcome.text:
        return outcome.text
    extra = list(dict.fromkeys(name for row in outcome.rows for name in row.figures))
    compared = any(row.difference is not None for row in outcome.rows)
    heads = ["", "CPU s", "range", "ratio", *(["largest difference"] if compared else []), *extra]
    ours = next((row.seconds for row in outcome.rows if row.name == OURS), None)
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    lines += ["| " + " | ".join(_cells(row, ours, compared, extra)) + " |" for row in outcome.rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row, ours: float | None, compared: bool, extra: Sequence[str]) -> list[str]:
    if row.seconds is None or row.low is None or row.high is None:
        return [row.name, row.missing, *[""] * (2 + compared + len(extra))]
    ratio = f"{row.seconds / ours:.2g}" if ours else ""
    cells = [row.name, f"{row.seconds:.3g}", f"{row.low:.3g} – {row.high:.3g}", ratio]
    if compared:
        cells.append("" if row.difference is None else f"{row.difference:.1e}")
    return cells + [f"{row.figures[name]:.4g}" if name in row.figures else "" for name in extra]


if __name__ == "__main__":
    sys.exit(main())
