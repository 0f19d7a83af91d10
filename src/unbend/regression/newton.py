"""Newton's method on the likelihood of logistic regression, with as few readings of the rows as the digits need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from unbend.regression.axes import Axes
from unbend.regression.likelihood import Reading, read
from unbend.regression.rows import Blocks
from unbend.regression.triangle import EPS

LAST = 1e-18
"""A Newton step that would gain no more than this share of the loss is the last: the error after it is its square, and
the Hessian before it has nine digits."""
NEAR = 1e-3
"""A Hessian of other coefficients, or of a sample, serves for a step that would gain no more than this share."""
ROUNDING = 1e-12
"""Losses that differ by less than this share, or by the last digit of 1 for each row, are the same; a smaller gain that
falls no more is rounding."""
TINY = 1e-300
"""Less than any loss but 0."""
STEPS, HALVINGS = 100, 30
SUSPICIOUS = 10.0
"""Log-odds beyond which it is asked whether the classes are separated, unless it is proved that they are not."""
SLOW, PATIENCE = 0.1, 12
"""Where classes are separated each step gains about 1/e of what the one before did, else soon far less: steps that gain
more than the first share are slow, and so many of them in a row are suspicious."""


@dataclass(frozen=True, eq=False)
class State:
    """Loss with the penalty, gradient ((K − 1) q,) and Hessian at `gamma` (K − 1, q); no Hessian if not asked for."""

    gamma: np.ndarray
    loss: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    reading: Reading


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where Newton's method ended.

    Attributes
    ----------
    gamma : (K − 1, q)
    loss : with the penalty
    hessian : ((K − 1) q, (K − 1) q)
    reading : the last one
    proved : whether it is proved that there is an optimum. With a decrement ν, a Hessian of at least λ and rows no
        longer than R, ν R ≤ √λ / 2 is enough. In these coordinates R is 1 over the root of the smallest weight, as no
        row has more than all of the cross products; a difference of two classes makes it √2 of that
    steps : over all rows

    Notes
    -----
    Source: Bach (2010), Electronic Journal of Statistics 4, 384-414, proposition 2.
    """

    gamma: np.ndarray
    loss: float
    hessian: np.ndarray
    reading: Reading
    proved: bool
    steps: int


@dataclass(frozen=True, eq=False)
class Suspect:
    """Where a wary method stopped, because the loss falls as it does where classes are separated."""

    gamma: np.ndarray


@dataclass(frozen=True, eq=False)
class Start:
    """Where to start from, and about what the Hessian is there."""

    gamma: np.ndarray
    hessian: np.ndarray


@dataclass(frozen=True, eq=False)
class Newton:
    """Newton's method with halved steps.

    A reading with the Hessian costs more than one without. The last one has it, and so has each before, but for the
    first, if it is given one, and for the one before the last, if an older Hessian is good enough for the step between.

    Attributes
    ----------
    axes, blocks : the rows and their coordinates
    classes : K
    penalty : ((K − 1) q, (K − 1) q) or 0
    last : a step that would gain no more than this share of the loss is the last
    most : steps
    wary : whether it stops where classes seem to be separated
    """

    axes: Axes
    blocks: Blocks
    classes: int
    penalty: np.ndarray
    last: float = LAST
    most: int = STEPS
    wary: bool = True

    def run(self, start: Start | np.ndarray | None = None) -> Optimum | Suspect | None:
        """Where it ends; None if it does not."""
        try:
            return self._run(start)
        except LinAlgError:  # a Hessian that is not positive
            return None

    def _run(self, start: Start | np.ndarray | None) -> Optimum | Suspect | None:
        borrowed = start.hessian if isinstance(start, Start) else None
        gamma = start.gamma if isinstance(start, Start) else start
        state = self._read(self._zero() if gamma is None else gamma, hessian=borrowed is None)
        hessian, before, slow = borrowed, np.inf, 0
        for count in range(1, self.most + 1):
            own = state.hessian is not None
            hessian = state.hessian if own else hessian
            step, gain = _step(state, hessian)
            share = gain / max(state.loss, TINY)
            stalled = gain <= self._rounding(state) and share > SLOW * before
            if own and (share <= self.last or stalled):
                return _optimum(state, step.reshape(state.gamma.shape), gain, count)
            slow = slow + 1 if share > SLOW * before else 0
            if self.wary and slow >= PATIENCE and state.reading.largest > SUSPICIOUS:
                return Suspect(state.gamma)
            before = share
            again = not own or share**2 <= self.last or share**3 > self.last
            after = None if not own and share > NEAR else self._shorter(state, step, gain, hessian=again, halve=own)
            if after is None and own:
                return None
            state = self._read(state.gamma) if after is None else after
        return None

    def _zero(self) -> np.ndarray:
        return np.zeros((self.classes - 1, self.axes.size))

    def _shorter(self, state: State, step: np.ndarray, gain: float, *, hessian: bool, halve: bool) -> State | None:
        """The state after the step, halved until the loss falls; None if it does not."""
        for halving in range(HALVINGS if halve else 1):
            share = 0.5**halving
            after = self._read(state.gamma + share * step.reshape(state.gamma.shape), hessian=hessian)
            if after.loss <= state.loss - 1e-4 * share * gain + self._rounding(state):
                return after
        return None

    def _rounding(self, state: State) -> float:
        return ROUNDING * state.loss + EPS * self.axes.weight

    def _read(self, gamma: np.ndarray, *, hessian: bool = True) -> State:
        found = read(self.axes, self.blocks, gamma, hessian=hessian)
        flat = gamma.reshape(-1)
        pull = self.penalty @ flat
        curved = None if found.hessian is None else found.hessian.reshape(self.penalty.shape) + self.penalty
        return State(gamma, found.loss + float(flat @ pull) / 2, found.gradient.reshape(-1) + pull, curved, found)


def _step(state: State, hessian: np.ndarray | None) -> tuple[np.ndarray, float]:
    """The step, and what a quadratic of this Hessian would gain by it, twice."""
    step = -cho_solve(cho_factor(hessian), state.gradient)
    return step, -float(state.gradient @ step)


def _optimum(state: State, step: np.ndarray, gain: float, steps: int) -> Optimum:
    assert state.hessian is not None
    least = float(np.linalg.eigvalsh(state.hessian)[0])
    proved = 8.0 * gain <= least * state.reading.lightest
    return Optimum(state.gamma + step, state.loss - gain / 2, state.hessian, state.reading, proved, steps)
