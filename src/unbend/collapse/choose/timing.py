"""How long networks take on this machine: run in turns under onnxruntime with one thread, so that ratios are fair.

In every round each network runs for about a millisecond or more, after a run that is not timed and fills the caches;
odd rounds go in the reverse order; they end early where there is no doubt. The clock is the CPU time of the thread that
runs them, which a busy machine moves least. A ratio is taken round by round, between neighbours in time; its median and
its middle half are what is said.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import onnx_ir as ir

from unbend.errors import ModelError
from unbend.network.run import opened_together

Feeds = Mapping[str, np.ndarray]

ROUND = 1e-3
"""Each network runs for about so many seconds a round …"""

MOST_RUNS = 50
"""… but not more often than this."""

ROUNDS = 15
ENOUGH = 5
"""So many rounds are enough where the second network was faster than all others in each of them."""

FEWEST_ROUNDS = 3
"""Of fewer rounds no middle half is told."""


@dataclass(frozen=True)
class Spread:
    """A number found in several rounds: the median and the middle half."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: np.ndarray) -> Spread:
        """The spread of the rounds' numbers."""
        low, median, high = np.quantile(numbers, [0.25, 0.5, 0.75])
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class Timing:
    """Seconds that one row takes before and after, and the ratio after / before, round by round."""

    before: Spread
    after: Spread
    ratio: Spread
    rounds: int

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray) -> Timing:
        """The timing of two networks that ran in turns."""
        return cls(Spread.of(before), Spread.of(after), Spread.of(after / before), len(before))


class Meter(Protocol):
    """What times networks: seconds of one run by round, (rounds,) for each model, the rounds of all side by side.

    It spends about `seconds` on them, gives fewer rounds than `FEWEST_ROUNDS` where that is too little, and raises
    ModelError for a model that it cannot run.
    """

    def __call__(self, models: Sequence[ir.Model], feeds: Feeds, seconds: float) -> list[np.ndarray]:
        """The seconds of each model."""
        ...


def by_onnxruntime(models: Sequence[ir.Model], feeds: Feeds, seconds: float) -> list[np.ndarray]:
    """The meter of this machine."""
    given = dict(feeds)
    runs = [partial(one.run, None, given) for one in opened_together(models, "the network")]
    try:
        return in_turns(runs, seconds, time.thread_time)
    except Exception as error:
        lengths = ", ".join(f"{name} {'×'.join(map(str, one.shape))}" for name, one in given.items())
        raise ModelError(
            f"onnxruntime cannot run the network on an input of {lengths}", where=str(error)[:200]
        ) from error


def in_turns(runs: Sequence[Callable[[], object]], seconds: float, clock: Callable[[], float]) -> list[np.ndarray]:
    """Seconds of one call by round, for each of `runs`; as many rounds as `seconds` allow, and there is doubt."""
    start = clock()
    counts = [_count(run, clock) for run in runs]
    found: list[list[float]] = [[] for _ in runs]
    order = list(range(len(runs)))
    for number in range(ROUNDS):
        begun = clock()
        for i in order if number % 2 else reversed(order):
            found[i].append(_timed(runs[i], counts[i], clock))
        now = clock()
        if now - start + now - begun > seconds or _no_doubt(found):
            break
    return [np.array(times) for times in found]


def _no_doubt(found: Sequence[Sequence[float]]) -> bool:
    """Whether the second, the planned one, was the fastest in every round of enough."""
    if len(found) < 2 or len(found[1]) < ENOUGH:
        return False
    others = [times for i, times in enumerate(found) if i != 1]
    return all(min(each) > planned for planned, *each in zip(found[1], *others, strict=True))


def _count(run: Callable[[], object], clock: Callable[[], float]) -> int:
    """How many calls make a round."""
    return int(np.clip(ROUND / max(_timed(run, 1, clock), 1e-7), 1, MOST_RUNS))


def _timed(run: Callable[[], object], count: int, clock: Callable[[], float]) -> float:
    run()
    start = clock()
    for _ in range(count):
        run()
    return max((clock() - start) / count, 1e-9)
