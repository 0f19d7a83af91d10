"""Contenders for one task, measured in turns in one process.

In every round each contender runs once, so that a slow minute of the machine hits all of them; the first round warms
up and is dropped. The clock is CPU time of this process and of the processes it starts, over all threads; the figure
is the median. Ratios carry over to other machines, seconds do not.
"""

from __future__ import annotations

import gc
import resource
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

OURS = "unbend"

Task = Callable[[], Any]


@dataclass(frozen=True)
class Contender:
    """One way to do the task. `prepare` does what is not measured and returns the task; it may fail to import."""

    name: str
    prepare: Callable[[], Task]
    packages: tuple[str, ...] = ()


@dataclass
class Contest:
    """What a benchmark fills in: its contenders, what makes two of their results agree, and further figures.

    `numbers` takes a result to the numbers that the contenders should agree on; `figures` takes a result to named
    numbers for the table, such as the size of a network.
    """

    contenders: list[Contender] = field(default_factory=list)
    numbers: Callable[[Any], np.ndarray] | None = None
    figures: Callable[[Any], Mapping[str, float]] | None = None

    def contender(self, name: str, *packages: str) -> Callable[[Callable[[], Task]], Callable[[], Task]]:
        """Register a function that prepares the task of the contender `name`, which needs `packages`."""

        def register(prepare: Callable[[], Task]) -> Callable[[], Task]:
            self.contenders.append(Contender(name, prepare, packages))
            return prepare

        return register


@dataclass(frozen=True)
class Benchmark:
    """A task with contenders: `setup` fills in a `Contest`."""

    name: str
    about: str
    rounds: int
    setup: Callable[[Contest], None]


@dataclass(frozen=True)
class Survey:
    """A benchmark of many subjects at once, which measures and writes its own tables, in Markdown."""

    name: str
    about: str
    packages: tuple[str, ...]
    write: Callable[[], str]


@dataclass(frozen=True)
class Row:
    """A contender's line: median and spread of its CPU seconds, or why there are none."""

    name: str
    seconds: float | None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""


@dataclass(frozen=True)
class Outcome:
    """A benchmark with its rows, or a survey with its text, and the versions of the packages that took part."""

    benchmark: Benchmark | Survey
    rows: tuple[Row, ...]
    versions: Mapping[str, str]
    text: str = ""


BENCHMARKS: list[Benchmark | Survey] = []


def benchmark(about: str, *, rounds: int = 7) -> Callable[[Callable[[Contest], None]], Callable[[Contest], None]]:
    """Register a function as the benchmark of its own name."""

    def register(setup: Callable[[Contest], None]) -> Callable[[Contest], None]:
        BENCHMARKS.append(Benchmark(setup.__name__, about, rounds, setup))
        return setup

    return register


def survey(about: str, *packages: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register a function that measures and returns its tables as the survey of its own name."""

    def register(write: Callable[[], str]) -> Callable[[], str]:
        BENCHMARKS.append(Survey(write.__name__, about, packages, write))
        return write

    return register


def run(benchmark: Benchmark | Survey) -> Outcome:
    """Run one benchmark, all of its contenders in turns."""
    if isinstance(benchmark, Survey):
        return Outcome(benchmark, (), _versions(benchmark.packages), _written(benchmark))
    contest = Contest()
    benchmark.setup(contest)
    tasks, missing = _prepare(contest)
    seconds, results = _rounds(tasks, benchmark.rounds)
    rows = [_row(contest, one.name, seconds, results, missing) for one in contest.contenders]
    names = {name for one in contest.contenders for name in one.packages}
    return Outcome(benchmark, tuple(rows), _versions(names))


def _written(benchmark: Survey) -> str:
    try:
        return benchmark.write()
    except ImportError as error:
        return f"Not measured: {error.name or error} is not installed.\n"


def _prepare(contest: Contest) -> tuple[dict[str, Task], dict[str, str]]:
    """The tasks by contender, and for a contender that cannot take part, why."""
    tasks: dict[str, Task] = {}
    missing: dict[str, str] = {}
    for one in contest.contenders:
        try:
            tasks[one.name] = one.prepare()
        except ImportError as error:
            if one.name == OURS:
                raise
            missing[one.name] = f"not installed: {error.name or error}"
    return tasks, missing


def _rounds(tasks: Mapping[str, Task], rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    results: dict[str, Any] = {}
    for turn in range(rounds + 1):
        for name, task in tasks.items():
            gc.collect()
            start = cpu_seconds()
            results[name] = task()
            if turn:
                seconds[name].append(cpu_seconds() - start)
    return seconds, results


def _row(
    contest: Contest,
    name: str,
    seconds: Mapping[str, list[float]],
    results: Mapping[str, Any],
    missing: Mapping[str, str],
) -> Row:
    if name in missing:
        return Row(name, None, missing=missing[name])
    times = seconds[name]
    figures = contest.figures(results[name]) if contest.figures else {}
    difference = _difference(contest, results, name)
    return Row(name, statistics.median(times), min(times), max(times), difference, figures)


def _difference(contest: Contest, results: Mapping[str, Any], name: str) -> float | None:
    """The largest difference of this contender's numbers to ours, relative to the largest number."""
    if contest.numbers is None or name == OURS or OURS not in results:
        return None
    ours, theirs = (np.asarray(contest.numbers(results[one]), dtype=float) for one in (OURS, name))
    return float(np.max(np.abs(theirs - ours)) / np.max(np.abs(ours)))


def cpu_seconds() -> float:
    """CPU seconds so far, of this process and of those it has waited for."""
    usage = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in usage)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    return {name: found for name in sorted(packages) if (found := _version(name))}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
