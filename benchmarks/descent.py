"""The closed form against gradient descent, on linear networks, whose least loss is known exactly."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measure import survey

CLOSE = 1e-6
"""How near to the least loss is near enough, as a share of it."""
PATIENCE = 100
"""Descent may take this many times as long as the closed form, and at least `SECONDS`."""
SECONDS = 3.0
LOOK_EVERY = 5
REPEATS = 7
BATCH = 256


@dataclass(frozen=True)
class Problem:
    """Rows, standardised, and networks of linear layers by their widths between the columns and the targets."""

    name: str
    x: np.ndarray
    y: np.ndarray
    networks: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Optimiser:
    """A way to descend, with the learning rates that it may choose the best of."""

    name: str
    rates: tuple[float, ...]
    make: Callable[[Any, Any, float], Any]
    batch: int | None = None


def problems() -> Iterator[Problem]:
    """Diabetes, many rows, and several targets through a waist."""
    from sklearn.datasets import load_diabetes

    data: Any = load_diabetes()
    yield Problem("diabetes, 442 × 10", *_standard(data.data, data.target[:, None]), ((), (64,), (64, 64)))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 50)) @ _spread(rng, 50, 10.0)
    y = x @ rng.normal(size=(50, 1)) + rng.normal(size=(len(x), 1))
    yield Problem("20,000 × 50, condition number 10", *_standard(x, y), ((), (64,)))
    x = rng.normal(size=(20_000, 50)) @ _spread(rng, 50, 10.0)
    y = x @ rng.normal(size=(50, 8)) @ rng.normal(size=(8, 20)) + rng.normal(size=(len(x), 20))
    yield Problem("20,000 × 50, 20 targets", *_standard(x, y), ((5,), (64, 5)))


def _spread(rng: np.random.Generator, p: int, condition: float) -> np.ndarray:
    """A matrix (p, p) of this condition number."""
    left, right = (np.linalg.qr(rng.normal(size=(p, p)))[0] for _ in range(2))
    return left * np.geomspace(1.0, 1.0 / condition, p) @ right


def _standard(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean(axis=0)) / y.std(axis=0)


def optimisers() -> tuple[Optimiser, ...]:
    """Plain descent, momentum, Adam on all rows, and SGD with momentum and Adam as they are mostly used."""

    def descent(momentum: float) -> Callable[[Any, Any, float], Any]:
        return lambda torch, weights, rate: torch.optim.SGD(weights, lr=rate, momentum=momentum)

    def adam(torch: Any, weights: Any, rate: float) -> Any:
        return torch.optim.Adam(weights, lr=rate)

    return (
        Optimiser("gradient descent", (0.1, 0.3), descent(0.0)),
        Optimiser("momentum 0.9", (0.03, 0.1), descent(0.9)),
        Optimiser("Adam, all rows", (0.003, 0.03), adam),
        Optimiser(f"SGD, batches of {BATCH}", (0.03,), descent(0.9), BATCH),
        Optimiser(f"Adam, batches of {BATCH}", (1e-3,), adam, BATCH),
    )


@survey(
    "How long gradient descent takes to come within 1e-6 of the least loss of a linear network, which the closed form "
    "gives at once: `LinearRegression`, or `ReducedRankRegression` where the network has a waist.",
    "torch",
    "scikit-learn",
)
def descent() -> str:
    """One table: a row for each network."""
    import torch

    torch.set_num_threads(1)
    ways = optimisers()
    lines = [
        "CPU time, one thread. The rows are standardised and in float64; of each optimiser the best of its learning "
        f"rates counts, and the search for it is not counted. `> N ×`: not there within {PATIENCE} times the closed "
        f"form's time or {SECONDS:g} s, whichever is longer; behind it, how far it came. Epochs in brackets.",
        "",
        "| rows | network | closed form, ms | " + " | ".join(way.name for way in ways) + " |",
        "| --- | --- | ---: |" + " ---: |" * len(ways),
    ]
    for problem in problems():
        for hidden in problem.networks:
            seconds, least = _closed_form(problem, hidden)
            found = [_best(torch, problem, hidden, way, least, seconds) for way in ways]
            widths = "-".join(map(str, (problem.x.shape[1], *hidden, problem.y.shape[1])))
            lines.append(f"| {problem.name} | {widths} | {seconds * 1e3:.3g} | " + " | ".join(found) + " |")
    return "\n".join(lines) + "\n"


def _closed_form(problem: Problem, hidden: tuple[int, ...]) -> tuple[float, float]:
    """Median CPU seconds, and the least mean squared error, as the loss of the coefficients."""
    from unbend import LinearRegression, ReducedRankRegression

    waist = min(hidden, default=problem.y.shape[1])
    narrow = waist < min(problem.x.shape[1], problem.y.shape[1])
    taken = []
    for _ in range(REPEATS):
        model = ReducedRankRegression(rank=waist) if narrow else LinearRegression()
        start = time.process_time()
        model.fit(problem.x, problem.y)
        taken.append(time.process_time() - start)
    residual = problem.y - np.asarray(model.predict(problem.x)).reshape(problem.y.shape)
    return statistics.median(taken), float(np.square(residual).mean())


def _best(torch: Any, problem: Problem, hidden: tuple[int, ...], way: Optimiser, least: float, closed: float) -> str:
    """The best learning rate's time as a multiple of the closed form's."""
    limit = max(SECONDS, PATIENCE * closed)
    runs = [_descend(torch, problem, hidden, way, rate, least, limit) for rate in way.rates]
    there = [run for run in runs if run.short <= CLOSE]
    if there:
        fastest = min(there, key=lambda run: run.seconds)
        return f"{fastest.seconds / closed:,.0f} × ({fastest.epochs})"
    nearest = min(runs, key=lambda run: run.short)
    return f"> {limit / closed:,.0f} × ({nearest.short:.0e})"


@dataclass(frozen=True)
class Run:
    """CPU seconds, epochs, and how far above the least loss it ended, as a share of it."""

    seconds: float
    epochs: int
    short: float


def _descend(
    torch: Any, problem: Problem, hidden: tuple[int, ...], way: Optimiser, rate: float, least: float, limit: float
) -> Run:
    """Train until near enough or out of time; looking at the loss is not counted."""
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    torch.manual_seed(0)
    widths = (x.shape[1], *hidden, y.shape[1])
    layers = [torch.nn.Linear(a, b, dtype=torch.float64) for a, b in itertools.pairwise(widths)]
    network = torch.nn.Sequential(*layers)
    optimiser = way.make(torch, network.parameters(), rate)
    seconds, epochs, short = 0.0, 0, np.inf
    while seconds < limit:
        start = time.process_time()
        for _ in range(1 if way.batch else LOOK_EVERY):
            _epoch(torch, network, optimiser, x, y, way.batch)
        seconds += time.process_time() - start
        epochs += 1 if way.batch else LOOK_EVERY
        with torch.no_grad():
            loss = float(torch.nn.functional.mse_loss(network(x), y))
        short = loss / least - 1.0
        if short <= CLOSE or not np.isfinite(loss):
            break
    return Run(seconds, epochs, short if np.isfinite(short) else np.inf)


def _epoch(torch: Any, network: Any, optimiser: Any, x: Any, y: Any, batch: int | None) -> None:
    parts = [slice(None)] if batch is None else list(torch.randperm(len(x)).split(batch))
    for part in parts:
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(network(x[part]), y[part]).backward()
        optimiser.step()
