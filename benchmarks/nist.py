"""The eleven linear problems of NIST's StRD: how many digits are right, of whom."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import survey
from benchmarks.rational import DEGREE, SETS, THROUGH_ORIGIN, Problem, as_written, certified, digits, exact


@dataclass(frozen=True)
class Answer:
    """What a solver says of one problem; the intercept comes first, and NaN stands for what it does not say.

    No estimates stand for a solver that failed.
    """

    estimates: np.ndarray | None
    errors: np.ndarray | float = np.nan
    sigma: float = np.nan
    r2: float = np.nan


Answers = dict[str, dict[str, "Answer"]]
"""Of every solver, by the name of the set."""
BOUND = "*the exact solution of the float64 arrays*"
WORST = (
    "The worst of the eleven, first against the numbers as NIST writes them, then against the float64 arrays that all",
    "but the first are given: their powers are rounded, but for `PolynomialRegression`, which forms them itself.",
    "–: not told.",
)

Solver = Callable[[Problem, np.ndarray], Answer]
"""Of a problem and its design (n, q): powers taken in float64, the column of ones first if there is an intercept."""


def solvers() -> Iterator[tuple[str, Solver]]:
    """unbend, and the others as they are when nothing is said to them; where it matters, at their best too."""
    yield "unbend `fit --digits`, from the CSV", _from_csv
    yield "unbend `LinearRegression`, float64", _estimator
    yield "unbend `PolynomialRegression`, float64", _polynomial
    yield "statsmodels OLS, pinv (its default)", lambda problem, x: _statsmodels(problem, x, "pinv")
    yield "statsmodels OLS, QR", lambda problem, x: _statsmodels(problem, x, "qr")
    yield "scikit-learn LinearRegression", _scikit_learn
    yield "numpy lstsq", lambda problem, x: Answer(np.linalg.lstsq(x, problem.y)[0])
    yield "numpy lstsq, rcond 1e-300", lambda problem, x: Answer(np.linalg.lstsq(x, problem.y, rcond=1e-300)[0])
    yield "scipy lstsq, gelsy", _scipy
    yield "normal equations", lambda problem, x: Answer(np.linalg.solve(x.T @ x, x.T @ problem.y))
    yield "torch lstsq", _torch
    yield "pyfixest feols", _pyfixest


def _told(result: Any) -> Answer:
    rows = result.coefficients if result.solution.has_intercept else result.coefficients[1:]
    errors = np.array([row.se for row in rows])
    return Answer(np.array([row.estimate for row in rows]), errors, result.sigma, result.r2)


def _from_csv(problem: Problem, _: np.ndarray) -> Answer:
    from unbend import fit

    columns = ["y", *(f"x{j}" for j in range(1, len(problem.decimals[0])))]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{problem.name}.csv"
        file.write_text("\n".join(map(",".join, [columns, *problem.decimals])) + "\n")
        degree, intercept = DEGREE.get(problem.name, 1), problem.name not in THROUGH_ORIGIN
        return _told(fit(file, "y", degree=degree, intercept=intercept, digits=True))


def _estimator(problem: Problem, _: np.ndarray) -> Answer:
    from unbend import LinearRegression

    intercept = problem.name not in THROUGH_ORIGIN
    return _told(LinearRegression(fit_intercept=intercept).fit(problem.x, problem.y).inference())


def _polynomial(problem: Problem, x: np.ndarray) -> Answer:
    from unbend import PolynomialRegression

    if problem.name not in DEGREE:
        return _estimator(problem, x)
    return _told(PolynomialRegression(DEGREE[problem.name]).fit(problem.x[:, :1], problem.y).inference())


def _statsmodels(problem: Problem, x: np.ndarray, method: str) -> Answer:
    import statsmodels.api as sm

    found: Any = sm.OLS(problem.y, x).fit(method=method)
    return Answer(found.params, found.bse, float(np.sqrt(found.mse_resid)), found.rsquared)


def _scikit_learn(problem: Problem, _: np.ndarray) -> Answer:
    from sklearn.linear_model import LinearRegression

    through_origin = problem.name in THROUGH_ORIGIN
    model = LinearRegression(fit_intercept=not through_origin).fit(problem.x, problem.y)
    start = [] if through_origin else [float(model.intercept_)]
    return Answer(np.array([*start, *model.coef_]))


def _scipy(problem: Problem, x: np.ndarray) -> Answer:
    from scipy.linalg import lstsq

    found: Any = lstsq(x, problem.y, lapack_driver="gelsy")
    return Answer(found[0])


def _torch(problem: Problem, x: np.ndarray) -> Answer:
    import torch

    found: Any = torch.linalg.lstsq(torch.from_numpy(x), torch.from_numpy(problem.y[:, None]))
    return Answer(found.solution.numpy()[:, 0])


def _pyfixest(problem: Problem, _: np.ndarray) -> Answer:
    import pandas as pd
    import pyfixest  # pyright: ignore[reportMissingImports]

    names = [f"x{j}" for j in range(problem.x.shape[1])]
    frame = pd.DataFrame(problem.x, columns=names).assign(y=problem.y)
    formula = "y ~ " + " + ".join(names) + (" - 1" if problem.name in THROUGH_ORIGIN else "")
    found = pyfixest.feols(formula, frame)
    return Answer(found.coef().to_numpy(), found.se().to_numpy())


@survey(
    "NIST's Statistical Reference Datasets for linear regression, all eleven: right decimal digits, 16 at most, of the "
    "worst coefficient and of the worst of what else is told. The truth is the exact solution in rational arithmetic "
    "(NIST's printed 15 digits are right to 14.3).",
    "unbend",
    "numpy",
    "scipy",
    "statsmodels",
    "scikit-learn",
    "torch",
    "pyfixest",
)
def nist() -> str:
    """A table of the coefficients set by set, and one of everything at worst."""
    written = {name: as_written(name) for name in SETS}
    arrays = {name: _of_arrays(name) for name in SETS}
    answers, absent = _answers()
    lines = ["Digits of the worst coefficient, against the numbers as NIST writes them:", ""]
    lines += _each_set(answers | {BOUND: {name: _as_answer(arrays[name]) for name in SETS}}, written)
    lines += ["", *WORST, "", *_at_worst(answers, written, arrays)]
    return "\n".join([*lines, *(["", f"Not installed here: {', '.join(absent)}."] if absent else [])]) + "\n"


def _each_set(answers: Answers, truths: dict[str, Problem]) -> list[str]:
    head = [f"| | {' | '.join(SETS)} |", "| --- |" + " ---: |" * len(SETS)]
    return head + [_line(who, [_of(found[name], truths[name])[0] for name in SETS]) for who, found in answers.items()]


def _at_worst(answers: Answers, written: dict[str, Problem], arrays: dict[str, Problem]) -> list[str]:
    heads = ["coefficient", "std. error", "residual sd", "R²"]
    heads += [f"{head}, float64" for head in heads]
    lines = [f"| | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    for who, found in answers.items():
        lines.append(_line(who, [*_worst(found, written), *_worst(found, _posed(who, arrays))]))
    return lines


def _as_answer(problem: Problem) -> Answer:
    return Answer(problem.estimates, problem.errors, problem.sigma, problem.r2)


def _of_arrays(name: str) -> Problem:
    problem = certified(name)
    return replace(exact(problem.x, problem.y, intercept=name not in THROUGH_ORIGIN), name=name)


def _posed(who: str, arrays: dict[str, Problem]) -> dict[str, Problem] | None:
    """The float64 problem that a solver was given; none for the one that reads decimals."""
    if "CSV" in who:
        return None
    return {name: _of_powers(name) for name in SETS} if "Polynomial" in who else arrays


def _of_powers(name: str) -> Problem:
    if name not in DEGREE:
        return _of_arrays(name)
    problem = certified(name)
    rows = [[Fraction(value) ** k for k in range(1, DEGREE[name] + 1)] for value in problem.x[:, 0].tolist()]
    return exact(rows, problem.y)


def _answers() -> tuple[Answers, list[str]]:
    """What every solver says of every set, and which are not installed."""
    found, absent = {}, []
    for who, solver in solvers():
        try:
            found[who] = {name: _answer(solver, certified(name)) for name in SETS}
        except ImportError as error:
            absent.append(error.name or who)
    return found, absent


def _answer(solver: Solver, problem: Problem) -> Answer:
    """What a solver says; zeros if it fails."""
    x = problem.x if problem.name in THROUGH_ORIGIN else np.column_stack([np.ones(len(problem.y)), problem.x])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = solver(problem, x)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            return Answer(None)
    told = 0 if found.estimates is None else len(found.estimates)
    return found if told == x.shape[1] else Answer(None)


def _of(answer: Answer, truth: Problem) -> list[float]:
    """Digits of the coefficients, their errors, the residual standard deviation and R²; NaN where nothing is told."""
    if answer.estimates is None:
        return [0.0, np.nan, np.nan, np.nan]
    pairs = [
        (answer.estimates, truth.estimates),
        (answer.errors, truth.errors),
        (answer.sigma, truth.sigma),
        (answer.r2, truth.r2),
    ]
    return [np.nan if np.isnan(told).all() else digits(told, right) for told, right in pairs]


def _worst(answers: dict[str, Answer], truths: dict[str, Problem] | None) -> list[float]:
    if truths is None:
        return [np.nan] * 4
    each = np.array([_of(answers[name], truths[name]) for name in SETS])
    return [float(np.nanmin(column)) if not np.isnan(column).all() else np.nan for column in each.T]


def _line(who: str, values: list[float]) -> str:
    return f"| {who} | " + " | ".join("–" if np.isnan(value) else f"{abs(value):.1f}" for value in values) + " |"
