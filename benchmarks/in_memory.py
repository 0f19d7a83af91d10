"""Regression of rows in memory: time relative to one symmetric product XᵀX, digits, and memory."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measure import OURS, cpu_seconds, survey
from benchmarks.memory import clear, status

Task = Callable[[np.ndarray, np.ndarray], np.ndarray | None]
"""From X (n, p) and y (n,) to the coefficients, without the intercept."""

SIZES = ((1_000_000, 10), (300_000, 100), (50_000, 500), (10_000, 2000))
ROUNDS, HEAVY = 5, 1


@dataclass(frozen=True)
class Contender:
    """A way to fit; one that takes long takes part in fewer rounds."""

    name: str
    task: Task
    rounds: int = ROUNDS


@dataclass(frozen=True)
class Figures:
    """CPU time relative to XᵀX, digits of the worst coefficient, and peak extra memory relative to X."""

    ratio: float
    digits: float
    memory: float


def product(x: np.ndarray, y: np.ndarray) -> None:
    """The yardstick: NumPy calls dsyrk or ssyrk."""
    x.T @ x


def coefficients(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ours, whose last digits are refined."""
    from unbend import LinearRegression

    return LinearRegression().fit(x, y).coef_


def inference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ours with standard errors, t, p, intervals, R², F, AIC."""
    from unbend import LinearRegression

    model = LinearRegression().fit(x, y)
    model.inference()
    return model.coef_


def with_rows(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ours with the residual and the leverage of each row as well."""
    from unbend import LinearRegression

    model = LinearRegression().fit(x, y)
    model.inference()
    rows: Any = model.influence(x, y)
    assert np.isfinite(rows.residual).all()
    assert np.isfinite(rows.leverage).all()
    return model.coef_


def statsmodels(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fit, standard errors, t, p, intervals, F, residuals, leverages."""
    import statsmodels.api as sm

    result = sm.OLS(y, sm.add_constant(x)).fit()
    parts = result.bse, result.tvalues, result.pvalues, result.conf_int(), result.fvalue, result.resid
    assert all(np.isfinite(part).all() for part in parts)
    assert np.isfinite(result.get_influence().hat_matrix_diag).all()
    return result.params[1:]


def lstsq(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """With the column of ones that it needs."""
    return np.linalg.lstsq(np.column_stack([np.ones(len(y), x.dtype), x]), y)[0][1:]


def scikit_learn(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """As it comes."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(x, y).coef_


def polars_ds(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """From a frame, which is made meanwhile: coefficients, standard errors, t, p, intervals."""
    import polars as pl
    import polars_ds as pds

    frame = pl.from_numpy(x).with_columns(y=pl.Series(y))
    report = frame.select(pds.lin_reg_report(*frame.columns[:-1], target="y", add_bias=True))
    return report.unnest(pl.selectors.all())["beta"].to_numpy()[:-1]


def pyfixest(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """From a frame, which is made meanwhile: coefficients, standard errors, t, p, intervals."""
    import pandas as pd
    import pyfixest as pf

    names = [f"x{j}" for j in range(x.shape[1])]
    frame = pd.DataFrame(x, columns=names)
    frame["y"] = y
    result = pf.feols(f"y ~ {' + '.join(names)}", frame)
    assert np.isfinite(result.tidy().to_numpy()).all()
    return result.coef().to_numpy()[1:]


CONTENDERS = (
    Contender(f"{OURS}, coefficients", coefficients),
    Contender(f"{OURS}, the whole inference", inference),
    Contender(f"{OURS}, with residuals and leverages", with_rows),
    Contender("numpy lstsq, coefficients", lstsq, 2),
    Contender("scikit-learn, coefficients", scikit_learn, 2),
    Contender("polars-ds, inference", polars_ds, 2),
    Contender("pyfixest, inference", pyfixest, HEAVY),
    Contender("statsmodels, the whole inference with residuals and leverages", statsmodels, HEAVY),
)


def rows(n: int, p: int, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Columns of different means, and a target that is linear in them but for the noise."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(n, p)) + np.linspace(0, 10, p)).astype(dtype)
    return x, (x @ rng.normal(size=p).astype(dtype) + rng.normal(size=n)).astype(dtype)


def reference(x: np.ndarray, y: np.ndarray, steps: int = 5) -> np.ndarray:
    """The coefficients in extended precision: normal equations of centred columns, refined with 80-bit residuals."""
    mean, offset = x.mean(axis=0, dtype=np.float64), float(y.mean(dtype=np.float64))
    gram = sum(((part - mean).T @ (part - mean) for part in blocks(x)), np.zeros((x.shape[1],) * 2))
    coef, base = np.zeros(x.shape[1], np.longdouble), np.longdouble(offset)
    for _ in range(steps):
        total, cross = np.longdouble(0), np.zeros(x.shape[1], np.longdouble)
        for part, target in zip(blocks(x), np.array_split(y, len(blocks(x))), strict=True):
            moved = part.astype(np.longdouble) - mean
            residual = target - base - moved @ coef
            total += residual.sum()
            cross += residual @ moved
        base += total / len(y)
        coef += np.linalg.solve(gram, cross.astype(np.float64))
    return coef


def blocks(rows: np.ndarray) -> list[np.ndarray]:
    """Pieces of some thousand rows."""
    return np.array_split(rows, max(1, rows.size // 1_000_000))


def digits(found: np.ndarray, exact: np.ndarray) -> float:
    """Decimal digits of the worst coefficient, 16 at most."""
    error = np.max(np.abs((found.astype(np.longdouble) - exact) / exact))
    return float(min(16.0, -np.log10(max(error, np.longdouble(1e-17)))))


@dataclass(frozen=True)
class Run:
    """CPU seconds, the coefficients, and peak extra memory relative to X."""

    seconds: float
    coef: np.ndarray | None
    memory: float


def run(task: Task, x: np.ndarray, y: np.ndarray) -> Run:
    """One run; its memory is the peak of the process above what it was before, NaN where the system does not tell."""
    gc.collect()
    before = clear()
    start = cpu_seconds()
    coef = task(x, y)
    seconds = cpu_seconds() - start
    return Run(seconds, coef, max(status("VmHWM") - before, 0) / x.nbytes if before else float("nan"))


def measured(contenders: Sequence[Contender], x: np.ndarray, y: np.ndarray, most: int) -> dict[str, Figures | str]:
    """In turns, the yardstick before each of them; for one that cannot take part, why."""
    exact = reference(x, y)
    found: dict[str, Figures | str] = _missing(contenders)
    taking_part = [one for one in contenders if one.name not in found]
    ratios: dict[str, list[float]] = {one.name: [] for one in taking_part}
    runs: dict[str, list[Run]] = {one.name: [] for one in taking_part}
    for turn in range(most):
        for one in taking_part:
            if turn < one.rounds:
                yardstick = run(product, x, y).seconds
                runs[one.name].append(run(one.task, x, y))
                ratios[one.name].append(runs[one.name][-1].seconds / yardstick)
    for name, each in runs.items():
        worst = digits(np.asarray(each[-1].coef), exact)
        found[name] = Figures(statistics.median(ratios[name]), worst, max(one.memory for one in each))
    return found


def _missing(contenders: Sequence[Contender]) -> dict[str, Figures | str]:
    """What is not installed; all that is has warmed up then."""
    missing: dict[str, Figures | str] = {}
    few = rows(200, 3)
    for one in contenders:
        try:
            one.task(*few)
        except ImportError as error:
            missing[one.name] = f"not installed: {error.name or error}"
    return missing


@survey(
    "Rows in memory, float64: CPU time relative to one XᵀX of the same rows (dsyrk, measured in turn with each), then "
    "digits of the worst coefficient against a solution in 80 bits (which has 15 itself at 2000 columns), then peak "
    "extra memory relative to X.",
    *("unbend", "numpy", "scikit-learn", "polars-ds", "pyfixest", "statsmodels"),
)
def in_memory() -> str:
    """Few and many columns, few and many rows: from 1,000,000 × 10 to 10,000 × 2000."""
    found = {size: measured(CONTENDERS, *rows(*size), ROUNDS) for size in SIZES}
    return table([f"{n:,} × {p}" for n, p in SIZES], CONTENDERS, list(found.values()))


FLOAT32 = (*CONTENDERS[:2], *CONTENDERS[3:6])


@survey("The same with float32 rows; XᵀX is ssyrk.", "unbend", "numpy", "scikit-learn", "polars-ds")
def in_memory_float32() -> str:
    """Two of the sizes."""
    sizes = SIZES[:2]
    found = {size: measured(FLOAT32, *rows(*size, np.float32), ROUNDS) for size in sizes}
    return table([f"{n:,} × {p}" for n, p in sizes], FLOAT32, list(found.values()))


def table(heads: Sequence[str], contenders: Sequence[Contender], found: Sequence[Mapping[str, Figures | str]]) -> str:
    """Markdown."""
    lines = ["| | " + " | ".join(heads) + " |", "|---" + "|---:" * len(heads) + "|"]
    for one in contenders:
        cells = (_cell(of[one.name]) for of in found)
        lines.append(f"| {one.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(of: Figures | str) -> str:
    return of if isinstance(of, str) else f"{of.ratio:.2f}; {of.digits:.1f}; {of.memory:.2f}"
