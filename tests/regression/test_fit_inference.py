"""All of inference to ten digits against statsmodels, on rows with categories, gaps, a large mean and weights."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy.special import stdtrit

from unbend.regression import LinearFit, fit

CLOSE = 1e-10
FORMULA = "wage ~ age + hours + C(region) + C(union)"
COVARIANCES = {
    "classical": ("nonrobust", {}),
    **{kind: (kind, {}) for kind in ("HC0", "HC1", "HC2", "HC3")},
    "HAC": ("HAC", {"maxlags": 5, "use_correction": True}),
    "one-way": ("cluster", {}),
    "two-way": ("cluster", {}),
}


@pytest.fixture(scope="module")
def workers() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 500
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n).round(1),
            "hours": rng.normal(2000, 30, n),
            "region": rng.choice(["east", "north", "south", "west"], n),
            "union": rng.random(n) < 0.3,
            "weight": rng.gamma(4.0, 1.0, n).round(2),
            "firm": rng.integers(0, 50, n),
            "year": rng.choice([f"y{k}" for k in range(41)], n),
        }
    )
    noise = rng.normal(size=50)[frame["firm"]] + rng.normal(size=n) * frame["age"] / 20
    frame["wage"] = (
        0.4 * frame["age"] + 0.01 * frame["hours"] + 2 * (frame["region"] == "west") + frame["union"] + noise
    )
    frame.loc[::17, "age"] = np.nan
    frame.loc[::29, "region"] = None
    return frame


def ours(frame: pd.DataFrame, name: str, weights: str | None) -> LinearFit:
    columns = ["age", "hours", "region", "union", "wage", *([weights] if weights else [])]
    cluster = {"one-way": ["firm"], "two-way": ["firm", "year"]}.get(name, [])
    kind = {} if cluster else {"covariance": name, "lags": 5 if name == "HAC" else None}
    return fit(frame[[*columns, *cluster]], "wage", weights=weights, cluster=cluster, **kind)


def theirs(frame: pd.DataFrame, name: str, weights: str | None):
    complete = frame.dropna()
    kind, options = COVARIANCES[name]
    groups = {
        "one-way": complete["firm"],
        "two-way": np.column_stack([complete["firm"], pd.factorize(complete["year"])[0]]),
    }
    options = options | ({"groups": groups[name]} if name in groups else {})
    model = smf.wls(FORMULA, complete, weights=complete[weights]) if weights else smf.ols(FORMULA, complete)
    return model.fit(cov_type=kind, cov_kwds=options, use_t=True)


def order(other) -> list[int]:
    """statsmodels puts categories first."""
    names = list(other.params.index)
    marks = [name for name in names if "[" in name]
    regions, union = marks[:-1], marks[-1]
    return [names.index(name) for name in ("Intercept", "age", "hours", *regions, union)]


@pytest.mark.parametrize("weights", [None, "weight"])
@pytest.mark.parametrize("name", COVARIANCES)
def test_statsmodels(workers: pd.DataFrame, name: str, weights: str | None) -> None:
    result, other = ours(workers, name, weights), theirs(workers, name, weights)
    at = order(other)
    for field, expected in (("estimate", other.params), ("se", other.bse), ("t", other.tvalues)):
        actual = [getattr(row, field) for row in result.coefficients]
        np.testing.assert_allclose(actual, np.asarray(expected)[at], rtol=CLOSE, err_msg=field)
    unit = np.outer(np.asarray(other.bse), np.asarray(other.bse))[np.ix_(at, at)]
    expected = np.asarray(other.cov_params())[np.ix_(at, at)]
    np.testing.assert_allclose(result.covariance / unit, expected / unit, atol=CLOSE)
    if name == "two-way":  # statsmodels counts the clusters of the first column alone
        return
    interval = np.asarray(other.conf_int())[at]
    np.testing.assert_allclose([row.low for row in result.coefficients], interval[:, 0], rtol=CLOSE, atol=CLOSE)
    np.testing.assert_allclose([row.high for row in result.coefficients], interval[:, 1], rtol=CLOSE, atol=CLOSE)
    np.testing.assert_allclose(
        [row.p for row in result.coefficients], np.asarray(other.pvalues)[at], rtol=1e-9, atol=1e-30
    )


@pytest.mark.parametrize("weights", [None, "weight"])
def test_the_whole_fit(workers: pd.DataFrame, weights: str | None) -> None:
    result, other = ours(workers, "classical", weights), theirs(workers, "classical", weights)
    assert result.n == other.nobs == len(workers.dropna())
    for actual, expected in (
        (result.f, other.fvalue),
        (result.r2, other.rsquared),
        (result.adj_r2, other.rsquared_adj),
        (result.rss / result.df_resid, other.mse_resid * _mean_of_1(workers, weights)),
    ):
        assert actual == pytest.approx(expected, rel=CLOSE)
    assert result.f_p == pytest.approx(other.f_pvalue, rel=1e-8)
    assert result.log_likelihood == pytest.approx(other.llf, rel=CLOSE)
    assert result.aic == pytest.approx(other.aic + 2, rel=CLOSE)  # as R, the variance is a parameter too
    assert result.bic == pytest.approx(other.bic + np.log(other.nobs), rel=CLOSE)


def _mean_of_1(frame: pd.DataFrame, weights: str | None) -> float:
    """statsmodels takes weights as they are; here their mean is 1."""
    return 1.0 if weights is None else 1.0 / frame.dropna()[weights].mean()


@pytest.mark.parametrize("name", ["classical", "HC1", "HC3", "HAC", "one-way"])
def test_prediction_intervals(workers: pd.DataFrame, name: str) -> None:
    result, other = ours(workers, name, None), theirs(workers, name, None)
    new = workers.dropna()[:40]
    expected = other.get_prediction(new).summary_frame(alpha=0.05)
    actual = result.predict_interval(new.drop(columns="wage"))
    reach = stdtrit(result.df_t, 0.975)  # statsmodels takes the rows' degrees of freedom even where there are clusters
    np.testing.assert_allclose(actual.value, expected["mean"], rtol=CLOSE)
    np.testing.assert_allclose((actual.mean_high - actual.value) / reach, expected["mean_se"], rtol=CLOSE)
    if name != "one-way":
        np.testing.assert_allclose(actual.mean_low, expected["mean_ci_lower"], rtol=CLOSE)
        np.testing.assert_allclose(actual.low, expected["obs_ci_lower"], rtol=CLOSE)
        np.testing.assert_allclose(actual.high, expected["obs_ci_upper"], rtol=CLOSE)


@pytest.mark.parametrize("name", ["HC3", "HC4", "HAC", "one-way"])
def test_rows_of_weight_0_are_as_if_not_there(workers: pd.DataFrame, name: str) -> None:
    some = workers.assign(weight=workers["weight"].where(workers.index % 5 > 0, 0.0))
    without = workers[workers.index % 5 > 0]
    np.testing.assert_allclose(ours(some, name, "weight").se, ours(without, name, "weight").se, rtol=CLOSE)


def test_hc4_of_weighted_rows_is_its_formula(workers: pd.DataFrame) -> None:
    frame = workers[["age", "wage", "weight"]].dropna()
    root = np.sqrt(frame["weight"].to_numpy())[:, None]
    x, y = root * np.column_stack([np.ones(len(frame)), frame["age"]]), root[:, 0] * frame["wage"].to_numpy()
    bread = np.linalg.inv(x.T @ x)
    leverage, residual = np.einsum("ij,jk,ik->i", x, bread, x), y - x @ (bread @ (x.T @ y))
    omega = residual**2 / (1 - leverage) ** np.minimum(4, leverage / leverage.mean())
    expected = np.sqrt(np.diag(bread @ (x.T * omega) @ x @ bread))
    result = fit(frame, "wage", weights="weight", covariance="HC4")
    np.testing.assert_allclose([row.se for row in result.coefficients], expected, rtol=CLOSE)


@pytest.mark.parametrize(
    "options", [{}, {"covariance": "HC0"}, {"covariance": "HC3"}, {"covariance": "HAC"}, {"cluster": "g"}]
)
def test_large_means_cost_no_digits(options: dict) -> None:
    rng = np.random.default_rng(0)
    a, b, noise = (np.round(rng.normal(size=300) * 1024) / 1024 for _ in range(3))
    near = pd.DataFrame({"a": a, "b": b, "y": 2 * a - b + noise, "g": rng.integers(0, 40, 300)})
    far = near.assign(a=near["a"] + 2.0**30, y=near["y"] + 2.0**33)
    excluded = [] if "cluster" in options else ["g"]
    one, other = (fit(rows, "y", exclude=excluded, **options) for rows in (near, far))
    np.testing.assert_allclose(other.se, one.se, rtol=1e-14)
    if not options:
        said, again = one.augment(near), other.augment(far)
        for name in ("residual", "leverage", "standardised", "cook"):
            np.testing.assert_allclose(again[name], said[name], rtol=1e-11, atol=1e-14, err_msg=name)
