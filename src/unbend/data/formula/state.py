"""What the transforms of a formula must know of all rows, from one reading: `center`, `scale` and `poly`.

All three follow from sums of powers. With m_k = Σ tᵏ, the inner product of two polynomials over all rows is a sum of
such moments, so the orthogonal polynomials, with p_{k+1} = (t − α_k) p_k − β_k p_{k−1}, follow in rational arithmetic.
The sums are in two parts, of t = (x − shift) / unit, so that no digit that matters is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from unbend.errors import DataError, UsageError
from unbend.exact import Double


@dataclass(frozen=True)
class Call:
    """One call of a transform in a formula, on some of the rows."""

    name: str
    x: np.ndarray
    degree: int = 1
    center: Any = True
    scale: Any = True
    ddof: float = 1


@dataclass
class PowerSums:
    """Σ ((x − shift) / unit)ᵏ for k = 0, …, `most`."""

    most: int
    shift: float = 0.0
    unit: float = 1.0
    total: Double | None = None

    def see(self, x: np.ndarray) -> None:
        """Take in the values of complete rows."""
        if self.total is None:
            self.shift = float(np.mean(x))
            spread = float(np.std(x))
            self.unit = 2.0 ** np.floor(np.log2(spread)) if spread > 0 else 1.0
            self.total = Double.zeros(self.most + 1)
        t = (Double.of(x) - self.shift) * (1.0 / self.unit)
        power = Double.of(np.ones(len(x)))
        sums = []
        for k in range(self.most + 1):
            sums.append(power.sum(axis=0))
            power = power * t if k < self.most else power
        self.total = self.total + Double.stack(sums)

    def moments(self) -> list[Fraction]:
        """The sums, as they are."""
        assert self.total is not None  # a row was seen before
        return list(self.total.fractions())


def orthogonal(moments: Sequence[Fraction], degree: int) -> tuple[list[Fraction], list[Fraction]]:
    """α_0, …, α_{degree−1} and the squared norms of p_0, …, p_degree, for polynomials over rows with these moments.

    Source: Gautschi (2004), Orthogonal Polynomials, section 2.2.

    >>> alpha, norms = orthogonal([Fraction(m) for m in (3, 6, 14, 36, 98)], 2)  # the rows 1, 2, 3
    >>> [str(a) for a in alpha], [str(n) for n in norms]
    (['2', '2'], ['3', '2', '2/3'])
    """

    def inner(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
        parts = (a * b * moments[i + j] for i, a in enumerate(left) for j, b in enumerate(right) if a and b)
        return sum(parts, Fraction(0))

    before, now = [Fraction(0)], [Fraction(1)]
    alphas, norms = [], [inner(now, now)]
    for _ in range(degree):
        times = [Fraction(0), *now]
        alpha = inner(times, now) / norms[-1]
        beta = norms[-1] / norms[-2] if len(norms) > 1 else Fraction(0)
        width = len(times)
        padded = ([*one, *[Fraction(0)] * (width - len(one))] for one in (now, before))
        after = [a - alpha * b - beta * c for a, b, c in zip(times, *padded, strict=True)]
        before, now = now, after
        alphas.append(alpha)
        norms.append(inner(now, now))
        if norms[-1] <= 0:
            break
    return alphas, norms


def state_of(call: Call, sums: PowerSums, expression: str) -> dict[str, Any]:
    """What formulaic keeps for a transform after it has seen all rows at once."""
    moments = sums.moments()
    return _poly(call, sums, moments, expression) if call.name == "poly" else _scale(call, sums, moments)


def _poly(call: Call, sums: PowerSums, moments: Sequence[Fraction], expression: str) -> dict[str, Any]:
    alphas, norms = orthogonal(moments, call.degree)
    if len(norms) <= call.degree or norms[-1] <= 0:
        raise DataError(
            f"{expression} needs more than {call.degree} different values",
            try_=f"choose a lower degree than {call.degree}",
        )
    unit = Fraction(sums.unit)
    return {
        "alpha": {k: float(Fraction(sums.shift) + unit * alpha) for k, alpha in enumerate(alphas)},
        "norms2": {k: float(unit ** (2 * k) * norm) for k, norm in enumerate(norms)},
    }


def _scale(call: Call, sums: PowerSums, moments: Sequence[Fraction]) -> dict[str, Any]:
    shift, unit = Fraction(sums.shift), Fraction(sums.unit)
    n, first, second = moments[:3]
    mean = shift + unit * first / n
    state: dict[str, Any] = {"ddof": call.ddof, "center": _given(call.center, float(mean)), "scale": None}
    about = Fraction(0) if state["center"] is None else Fraction(float(state["center"]))
    if call.center is True:
        about = mean
    squares = unit**2 * second + 2 * unit * (shift - about) * first + n * (shift - about) ** 2
    return state | {"scale": _given(call.scale, float(squares / (n - Fraction(call.ddof))) ** 0.5)}


def _given(asked: Any, found: float) -> float | None:
    """What a transform uses: what was found if True was asked for, nothing for False, else the number itself."""
    if isinstance(asked, bool):
        return found if asked else None
    return float(asked)


def recorder(calls: list[Call]) -> dict[str, Any]:
    """Functions that note what they are called with, in place of the transforms."""

    def noted(call: Call) -> np.ndarray:
        if np.ndim(call.x) != 1:
            raise UsageError(f"{call.name} in a formula takes one column")
        calls.append(call)
        return call.x

    def poly(x: Any, degree: int = 1, raw: bool = False) -> np.ndarray:
        numbers = np.asarray(x, dtype=float)
        return numbers if raw else noted(Call("poly", numbers, int(degree)))

    def scale(data: Any, center: Any = True, scale: Any = True, ddof: float = 1) -> np.ndarray:
        return noted(Call("scale", np.asarray(data, dtype=float), 1, center, scale, ddof))

    def center(data: Any) -> np.ndarray:
        return scale(data, scale=False)

    return {"poly": poly, "scale": scale, "center": center}
