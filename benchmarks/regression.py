"""Linear regression and its checks."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Contest, Task, benchmark

ROWS, COLUMNS = 200_000, 20


def _data(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Columns with different means and units, and a target that is linear in them but for the noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, COLUMNS)) * np.logspace(-2, 2, COLUMNS) + np.linspace(-50, 50, COLUMNS)
    return x, x @ rng.normal(size=COLUMNS) + 3.0 + rng.normal(size=rows)


def _frame(x: np.ndarray, y: np.ndarray) -> object:
    import pyarrow as pa

    return pa.table({f"x{j}": x[:, j] for j in range(x.shape[1])} | {"y": y})


@benchmark(
    f"Linear regression with an intercept, {ROWS:,} rows × {COLUMNS} columns in memory. unbend and statsmodels "
    "give the whole inference table, numpy and scikit-learn the coefficients alone. They agree on the slopes."
)
def fit(contest: Contest) -> None:
    """`fit` against the usual ways."""
    x, y = _data()
    contest.numbers = lambda slopes: slopes

    @contest.contender("unbend", "unbend", "numpy", "pyarrow")
    def _ours() -> Task:
        from unbend import fit

        table = _frame(x, y)
        return lambda: fit(table, "y").coef

    @contest.contender("statsmodels OLS, fit and standard errors", "statsmodels")
    def _statsmodels() -> Task:
        import statsmodels.api as sm

        def task() -> np.ndarray:
            result = sm.OLS(y, sm.add_constant(x)).fit()
            assert np.all(np.isfinite(result.bse))
            return result.params[1:]

        return task

    @contest.contender("scikit-learn LinearRegression", "scikit-learn")
    def _sklearn() -> Task:
        from sklearn.linear_model import LinearRegression

        return lambda: LinearRegression().fit(x, y).coef_

    @contest.contender("numpy lstsq", "numpy")
    def _numpy() -> Task:
        return lambda: np.linalg.lstsq(np.column_stack([np.ones(len(y)), x]), y)[0][1:]


CHECKED = 20_000


@benchmark(
    f"The assumptions of one regression, {CHECKED:,} rows × {COLUMNS} columns: for statsmodels one test of each "
    "assumption that needs no order (VIF, Breusch–Pagan, Jarque–Bera, RESET), as a user would call them one by one.",
    rounds=5,
)
def check(contest: Contest) -> None:
    """`check` against a battery put together by hand."""
    x, y = _data(CHECKED)

    @contest.contender("unbend", "unbend", "numpy", "pyarrow")
    def _ours() -> Task:
        from unbend import check

        table = _frame(x, y)
        return lambda: check(table, "y")

    @contest.contender("statsmodels, four tests by hand", "statsmodels")
    def _statsmodels() -> Task:
        import statsmodels.api as sm
        from statsmodels.stats.diagnostic import het_breuschpagan, linear_reset
        from statsmodels.stats.outliers_influence import variance_inflation_factor
        from statsmodels.stats.stattools import jarque_bera

        def task() -> list[object]:
            design = sm.add_constant(x)
            result = sm.OLS(y, design).fit()
            inflation = [variance_inflation_factor(design, j) for j in range(1, design.shape[1])]
            tests = [het_breuschpagan(result.resid, design), jarque_bera(result.resid), linear_reset(result)]
            return [*inflation, *tests]

        return task
