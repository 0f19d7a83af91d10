"""Every statistic against R's stored values and against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.datasets import load_diabetes
from statsmodels.stats.diagnostic import acorr_breusch_godfrey, het_breuschpagan, het_white, linear_reset
from statsmodels.stats.outliers_influence import variance_inflation_factor
from statsmodels.stats.stattools import durbin_watson, jarque_bera

NAMES = (
    "airquality",
    "cars",
    "lifecyclesavings",
    "longley",
    "mandible",
    "mtcars",
    "mtcars_full",
    "stackloss",
    "swiss",
    "usdistlag",
)
SEVERAL = tuple(name for name in NAMES if name not in ("cars", "mandible"))


@pytest.fixture(params=NAMES)
def r(request, checking):
    return checking.reference(request.param)


def close(value, expected, name, p=False):
    """R's tolerances: statistics 1e-8 (longley 1e-6), p values 1e-7 absolute."""
    if p:
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-7)
    else:
        np.testing.assert_allclose(value, expected, rtol=1e-6 if name == "longley" else 1e-8)


@pytest.mark.parametrize("name", SEVERAL)
def test_inflation_factors_are_those_of_r(checking, name):
    r = checking.reference(name)
    close(checking.accumulated("collinearity", r.x, r.y).factors, r.numbers("vif"), name)


def test_belsley_table_is_that_of_r(checking, r):
    table = checking.accumulated("collinearity", r.x, r.y).belsley
    close(table.indices, r.value("bkw")["condition_indices"], r.name)
    proportions = np.array(r.value("bkw")["variance_decomposition_proportions"])
    np.testing.assert_allclose(table.proportions, proportions, rtol=0, atol=1e-8)


def test_breusch_pagan_and_hc3_are_those_of_r(checking, r):
    found = checking.accumulated("even spread", r.x, r.y)
    close(found.statistic, r.value("bp_koenker")["statistic"], r.name)
    close(found.p, r.value("bp_koenker")["p.value"], r.name, p=True)
    close(found.robust_errors, r.numbers("se_HC3"), r.name)


def test_durbin_watson_and_newey_west_are_those_of_r(checking, r):
    found = checking.accumulated("autocorrelation", r.x, r.y)
    close(found.durbin_watson, r.value("dw")["statistic"], r.name)
    close(found.newey_west(4), r.numbers("se_NeweyWest_lag4"), r.name)


@pytest.mark.parametrize("lags", [1, 2, 4])
def test_breusch_godfrey_is_that_of_r(checking, r, lags, monkeypatch):
    monkeypatch.setattr("unbend.checks.autocorrelation.ROWS_PER_LAG", len(r.y) // lags)
    monkeypatch.setattr("unbend.checks.autocorrelation.MOST_LAGS", lags)
    found = checking.accumulated("autocorrelation", r.x, r.y)
    assert found.lags == lags
    close(found.statistic, r.value(f"bg_order{lags}")["statistic"], r.name)
    close(found.p, r.value(f"bg_order{lags}")["p.value"], r.name, p=True)


def test_jarque_bera_and_studentised_residuals_are_those_of_r(checking, r):
    found = checking.accumulated("normal errors", r.x, r.y)
    close(found.statistic, r.value("jarque_bera")["statistic"], r.name)
    close(found.p, r.value("jarque_bera")["p.value"], r.name, p=True)
    (rows,) = checking.blocks(found.fit, r.x, r.y, 1)
    close(rows.studentised, r.numbers("rstudent"), r.name)


def test_reset_is_that_of_r(checking, r):
    found = checking.accumulated("linearity", r.x, r.y)
    close(found.statistic, r.value("reset_fitted_2_3")["statistic"], r.name)
    close(found.p, r.value("reset_fitted_2_3")["p.value"], r.name, p=True)


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return x, y, sm.OLS(y, sm.add_constant(x)).fit()


def test_collinearity_on_diabetes(checking, diabetes):
    x, y, fit = diabetes
    factors = [variance_inflation_factor(fit.model.exog, j) for j in range(1, 11)]
    np.testing.assert_allclose(checking.accumulated("collinearity", x, y).factors, factors, rtol=1e-8)


def test_even_spread_on_diabetes(checking, diabetes):
    x, y, fit = diabetes
    found = checking.accumulated("even spread", x, y, number=3)
    expected = het_breuschpagan(fit.resid, fit.model.exog, robust=True)[:2]
    np.testing.assert_allclose([found.statistic, found.p], expected, rtol=1e-8)
    np.testing.assert_allclose(found.robust_errors, fit.HC3_se, rtol=1e-8)


def test_white_with_squares_for_one_column_is_white(checking, diabetes):
    x, y, _ = diabetes
    fit = sm.OLS(y, sm.add_constant(x[:, 2])).fit()
    found = checking.accumulated("even spread", x[:, [2]], y)
    expected = het_white(fit.resid, fit.model.exog)[:2]
    np.testing.assert_allclose([found.white_statistic, found.white_p], expected, rtol=1e-8)


@pytest.mark.filterwarnings("ignore:acorr_breusch_godfrey currently returns:FutureWarning")
def test_autocorrelation_on_diabetes(checking, diabetes):
    x, y, fit = diabetes
    found = checking.accumulated("autocorrelation", x, y, number=3)
    expected = acorr_breusch_godfrey(fit, nlags=found.lags)[:2]
    np.testing.assert_allclose([found.statistic, found.p], expected, rtol=1e-8)
    np.testing.assert_allclose(found.durbin_watson, durbin_watson(fit.resid), rtol=1e-8)
    hac = fit.get_robustcov_results("HAC", maxlags=7, use_correction=True)
    np.testing.assert_allclose(found.newey_west(7), hac.bse, rtol=1e-8)


def test_normal_errors_on_diabetes(checking, diabetes):
    x, y, fit = diabetes
    found = checking.accumulated("normal errors", x, y, number=3)
    statistic, p, skewness, kurtosis = jarque_bera(fit.resid)
    values = [found.statistic, found.p, found.skewness, found.excess_kurtosis + 3]
    np.testing.assert_allclose(values, [statistic, p, skewness, kurtosis], rtol=1e-8)
    outside = np.abs(fit.get_influence().resid_studentized_external) > found.fit.critical(found.fit.df - 1)
    assert found.sides.sum() == pytest.approx(outside.mean(), rel=1e-12)


def test_linearity_on_diabetes(checking, diabetes):
    x, y, fit = diabetes
    found = checking.accumulated("linearity", x, y, number=3)
    expected = linear_reset(fit, power=3, use_f=True)
    np.testing.assert_allclose([found.statistic, found.p], [expected.fvalue, expected.pvalue], rtol=1e-7)


def test_each_square_is_that_of_a_fit_with_it(checking, diabetes):
    x, y, fit = diabetes
    found = checking.accumulated("linearity", x, y)
    for place, j in enumerate(found.fit.bendable):
        more = sm.OLS(y, np.column_stack([fit.model.exog, x[:, j] ** 2])).fit()
        assert found.gains[place] == pytest.approx(fit.ssr - more.ssr, rel=1e-7)
        assert found.square_p[place] == pytest.approx(more.pvalues[-1], rel=1e-7)


def test_generalised_inflation_factor_is_a_ratio_of_determinants(checking):
    """Fox and Monette's definition, on a category of three levels beside two numbers."""
    from unbend.checks.collinearity import inflation

    rng = np.random.default_rng(3)
    level = rng.integers(3, size=200)
    x = np.column_stack([level == 1, level == 2, rng.standard_normal((200, 2)) + level[:, None]])
    r = np.corrcoef(x.T)
    det = np.linalg.det
    expected = det(r[:2, :2]) * det(r[2:, 2:]) / det(r)
    factor = np.linalg.qr(x - x.mean(0), mode="r")
    assert inflation(factor, [[0, 1], [2], [3]])[0] == pytest.approx(expected, rel=1e-10)
