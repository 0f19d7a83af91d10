"""NIST StRD: all eleven sets to 15 digits, against rational arithmetic, from decimals and from float64 arrays.

The printed certified values have 14.3 right digits at worst (Filip), so they are no oracle for 15. From float64 arrays
the problem is the one that the rounded numbers pose: of NIST's own its exact solution has 7.6 digits on Filip.
"""

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm

from unbend import LinearRegression, PolynomialRegression, fit

SETS = ("NoInt1", "NoInt2", "Norris", "Pontius", "Longley", "Filip", *(f"Wampler{i}" for i in range(1, 6)))
ENOUGH = 15


def told(result) -> tuple[np.ndarray, np.ndarray]:
    rows = result.coefficients if result.solution.has_intercept else result.coefficients[1:]
    return np.array([row.estimate for row in rows]), np.array([row.se for row in rows])


def assert_right(nist, result, truth) -> None:
    """Coefficients, standard errors, residual standard deviation and R² to 15 digits; what is 0 as good as 0."""
    estimates, errors = told(result)
    assert nist.digits(estimates, truth.estimates) >= ENOUGH
    assert nist.digits(errors, truth.errors) >= ENOUGH
    assert nist.digits(result.sigma, truth.sigma) >= ENOUGH
    assert nist.digits(result.r2, truth.r2) >= ENOUGH
    assert result.digits == 15
    assert {row.se_digits for row in result.coefficients} == {15}


@pytest.mark.parametrize("name", SETS)
def test_decimals_as_they_are_written(nist, name: str, tmp_path: Path) -> None:
    truth = nist.as_written(name)
    columns = ["y", *(f"x{j}" for j in range(1, len(truth.decimals[0])))]
    file = tmp_path / f"{name}.csv"
    file.write_text("\n".join(map(",".join, [columns, *truth.decimals])) + "\n")
    result = fit(file, "y", degree=nist.degree(name), intercept=name not in nist.through_origin, digits=True)
    assert_right(nist, result, truth)


@pytest.mark.parametrize("name", SETS)
def test_float64_arrays(nist, name: str) -> None:
    problem = nist.certified(name)
    intercept = name not in nist.through_origin
    result = LinearRegression(fit_intercept=intercept).fit(problem.x, problem.y).inference()
    assert_right(nist, result, nist.exact(problem.x, problem.y, intercept=intercept))


@pytest.mark.parametrize("name", ["Pontius", "Filip", "Wampler1", "Wampler2", "Wampler3", "Wampler4", "Wampler5"])
def test_polynomials_of_float64(nist, name: str) -> None:
    problem, degree = nist.certified(name), nist.degree(name)
    x = problem.x[:, :1]
    result = PolynomialRegression(degree).fit(x, problem.y).inference()
    powers = [[Fraction(value) ** k for k in range(1, degree + 1)] for value in x[:, 0].tolist()]
    assert_right(nist, result, nist.exact(powers, problem.y))


@pytest.mark.parametrize("name", SETS)
def test_certified_values(nist, name: str) -> None:
    """The oracle is what NIST prints, as far as that is right."""
    problem, truth = nist.certified(name), nist.as_written(name)
    assert nist.digits(truth.estimates, problem.estimates) >= 14
    assert nist.digits(truth.errors, problem.errors) >= 14
    assert nist.digits(truth.sigma, problem.sigma) >= 14
    assert nist.digits(truth.r2, problem.r2) >= 14


@pytest.mark.parametrize("name", ["Norris", "Longley", "Filip", "Wampler5"])
def test_statsmodels_has_fewer(nist, name: str) -> None:
    problem = nist.certified(name)
    truth = nist.exact(problem.x, problem.y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = sm.OLS(problem.y, sm.add_constant(problem.x)).fit(method="qr")
    assert nist.digits(np.asarray(other.params), truth.estimates) < ENOUGH
