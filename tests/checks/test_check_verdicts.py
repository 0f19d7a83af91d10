"""Verdicts come from the consequence: contrasts between what a test says and what the intervals do."""

import numpy as np
import pytest

from unbend.checks.verdict import FEWEST_SPARE_ROWS, SEVERITY, implied_coverage, judge, percent, sidak, worst

EVIDENT, CHANCE = 1e-4, 0.5


@pytest.mark.parametrize(
    ("coverage", "word"),
    [(0.97, "fine"), (0.95, "fine"), (0.94, "fine"), (0.939, "noticeable"), (0.9, "noticeable"), (0.899, "harmful")],
)
def test_thresholds_at_95_percent(coverage, word):
    assert judge(coverage, 0.95, EVIDENT, 100) == word


def test_thresholds_scale_with_the_level():
    assert judge(0.985, 0.99, EVIDENT, 100) == "noticeable"
    assert judge(0.979, 0.99, EVIDENT, 100) == "harmful"
    assert judge(0.885, 0.9, EVIDENT, 100) == "fine"


def test_chance_excuses_and_doubt_is_said():
    assert judge(0.8, 0.95, CHANCE, 100) == "fine"
    assert judge(0.8, 0.95, 0.03, 100) == "unsure"


def test_few_rows_are_never_fine_but_may_be_harmful():
    assert judge(0.95, 0.95, CHANCE, FEWEST_SPARE_ROWS - 1) == "unsure"
    assert judge(0.8, 0.95, EVIDENT, FEWEST_SPARE_ROWS - 1) == "harmful"


def test_the_worst_of_several_intervals():
    coverage = np.array([0.95, 0.5, 0.85, 0.88])
    chance = np.array([EVIDENT, CHANCE, EVIDENT, EVIDENT])
    assert worst(coverage, 0.95, chance, 100) == ("harmful", 2)


def test_severity_goes_from_not_asked_to_harmful():
    assert SEVERITY == ("not asked", "fine", "unsure", "noticeable", "harmful")


def test_implied_coverage_is_the_formula_for_many_rows():
    from scipy.stats import norm

    ratio = np.array([0.7, 1.0, 1.3, 2.0])
    np.testing.assert_allclose(implied_coverage(ratio, 1e9, 0.95), 2 * norm.cdf(1.959964 / ratio) - 1, atol=1e-6)
    np.testing.assert_allclose(implied_coverage(np.ones(1), 7, 0.9), 0.9)


def test_sidak_keeps_small_p_values():
    assert sidak(np.array([1e-20]), 5)[0] == pytest.approx(5e-20)
    assert sidak(np.array([1.0]), 5)[0] == pytest.approx(1.0)


def test_percent():
    assert percent(0.0) == "0 %"


def verdicts(answers):
    return {name: check.verdict for name, check in answers.items()}


def test_airquality_breusch_pagan_passes_and_the_intervals_fail(checking):
    r = checking.reference("airquality")
    check = checking.asked(r.x, r.y)["even spread"]
    assert check.p == pytest.approx(0.1678, abs=1e-4)
    assert check.verdict == "harmful"
    assert checking.asked(r.x, r.y)["linearity"].verdict == "harmful"


def test_longley_is_tangled_and_nothing_else_is_wrong(checking):
    r = checking.reference("longley")
    found = verdicts(checking.asked(r.x, r.y))
    assert found.pop("collinearity") == "harmful"
    assert set(found.values()) == {"unsure"}, "9 rows beyond the coefficients cannot say fine"


def test_longley_names_the_factor_and_the_group(checking):
    r = checking.reference("longley")
    found = checking.accumulated("collinearity", r.x, r.y)
    assert found.widths.max() == pytest.approx(42.3, abs=0.05)
    assert {r.columns[i] for i in found.group} == {"GNP", "Year", "Population", "Unemployed"}


def test_swiss_is_fine(checking):
    r = checking.reference("swiss")
    found = verdicts(checking.asked(r.x, r.y))
    assert {word for name, word in found.items() if name != "autocorrelation"} == {"fine"}


def test_stackloss_is_too_small_to_tell(checking):
    r = checking.reference("stackloss")
    found = verdicts(checking.asked(r.x, r.y))
    assert found.pop("collinearity") == "fine"
    assert set(found.values()) == {"unsure"}


def test_tiny_unevenness_is_rejected_and_fine(checking):
    check = checking.asked(*checking.uneven(50_000, np.random.default_rng(0), strength=0.03))["even spread"]
    assert check.p < 1e-6
    assert check.verdict == "fine"


def test_tiny_curvature_is_rejected_and_fine(checking):
    found = checking.accumulated("linearity", *checking.curved(50_000, np.random.default_rng(0), strength=0.02))
    assert found.square_p[0] < 1e-3
    assert found.verdict().verdict == "fine"


def test_tiny_dependence_is_rejected_and_harmless(checking):
    check = checking.asked(*checking.dependent(50_000, np.random.default_rng(0), rho=0.03))["autocorrelation"]
    assert check.p < 1e-3
    assert check.verdict in ("fine", "noticeable")


@pytest.mark.parametrize("assumption", ["even spread", "linearity", "autocorrelation"])
def test_strong_faults_are_harmful_at_500_rows(checking, assumption):
    found = [checking.asked(*checking.bad[assumption](500, np.random.default_rng(s)))[assumption] for s in range(20)]
    assert np.mean([check.verdict == "harmful" for check in found]) >= 0.9


def test_a_bend_that_reset_cannot_see_is_found_by_the_square(checking):
    """y = x0² + 3 x1: the predictions vary with x1 only, so their squares are blind to x0."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, 2))
    check = checking.asked(x, x[:, 0] ** 2 + 3 * x[:, 1] + rng.standard_normal(400))["linearity"]
    assert check.p > 0.05
    assert check.verdict == "harmful"
    assert "x0²" in check.remedy


def test_dependent_noise_leaves_the_slopes_of_unordered_columns_alone(checking):
    rng = np.random.default_rng(2)
    _, y = checking.dependent(2000, rng)
    x = rng.standard_normal((2000, 2))
    found = checking.accumulated("autocorrelation", x, y)
    assert found.coverage[0] < 0.8
    assert found.coverage[1:].min() > 0.93
    assert "intercept" in found.verdict().consequence


def coverage_of_the_first_slope(checking, data, accumulate, tables=400, n=500):
    """Real coverage of the usual interval, and what the check says it is."""
    rng = np.random.default_rng(8)
    covered, implied = [], []
    for _ in range(tables):
        x, y = data(n, rng)
        found = checking.accumulated(accumulate, x, y)
        reach = found.fit.critical() * found.fit.standard_errors[1]
        covered.append(abs(found.fit.slopes[0] - 1) <= reach)
        implied.append(found.coverage[1])
    return np.mean(covered), np.mean(implied)


@pytest.mark.parametrize("assumption", ["even spread", "autocorrelation"])
def test_the_implied_coverage_is_the_real_one(checking, assumption):
    real, implied = coverage_of_the_first_slope(checking, checking.bad[assumption], assumption)
    assert real < 0.85
    assert implied == pytest.approx(real, abs=0.05)


def test_the_implied_coverage_of_a_curved_fit_is_the_real_one(checking):
    real, implied = coverage_of_the_first_slope(checking, checking.curved, "even spread")
    assert real < 0.85
    assert implied == pytest.approx(real, abs=0.05)
