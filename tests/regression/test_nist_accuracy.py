"""NIST StRD: how many digits `fit` reaches, against the exact solution of the float64 problem and beside statsmodels.

The two sets without an intercept (NoInt1, NoInt2) are another model. Digits against the printed certified values can
be no better than the float64 powers allow (7.6 on Filip).
"""

import warnings

import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm

from unbend.regression import fit

REACHED = {
    "Norris": (14, 13, 15),
    "Pontius": (13, 13, 15),
    "Longley": (13, 12, 15),
    "Filip": (7, 7, 10),
    "Wampler1": (9, 9, 15),
    "Wampler2": (12, None, 15),
    "Wampler3": (9, 11, 15),
    "Wampler4": (8, 11, 15),
    "Wampler5": (5, 11, 13),
}
"""Digits of the worst coefficient, the worst standard error, and R², against exact arithmetic.

Wampler2 is an exact polynomial up to the rounding of its decimals: its residuals are that rounding, and so a standard
error has no digits, but is next to nothing.
"""


def fitted(problem):
    columns = {f"x{j}": problem.x[:, j] for j in range(problem.x.shape[1])}
    return fit(pa.table(columns | {"y": problem.y}), "y")


def errors_of(result) -> np.ndarray:
    return np.array([row.se for row in result.coefficients])


@pytest.mark.parametrize("name", REACHED)
def test_digits_reached(nist, name: str) -> None:
    problem = nist.certified(name)
    truth = nist.exact(problem.x, problem.y)
    result = fitted(problem)
    estimates = np.array([result.intercept, *result.coef])
    assert nist.digits(estimates, truth.estimates) >= REACHED[name][0]
    if REACHED[name][1] is None:
        assert np.all(errors_of(result) < 1e-13 * np.abs(truth.estimates))
    else:
        assert nist.digits(errors_of(result), truth.errors) >= REACHED[name][1]
    assert nist.digits(result.r2, truth.r2) >= REACHED[name][2]


@pytest.mark.parametrize("name", REACHED)
def test_certified_values(nist, name: str) -> None:
    problem = nist.certified(name)
    result = fitted(problem)
    estimates = np.array([result.intercept, *result.coef])
    assert nist.digits(estimates, problem.estimates) >= min(REACHED[name][0], 7 if name == "Filip" else 13)
    if REACHED[name][1] is not None:
        assert nist.digits(result.sigma, problem.sigma) >= min(REACHED[name][1], 8 if name == "Filip" else 13)
    assert nist.digits(result.r2, problem.r2) >= min(REACHED[name][2], 13)


@pytest.mark.parametrize("name", REACHED)
def test_never_a_digit_less_than_statsmodels(nist, name: str) -> None:
    problem = nist.certified(name)
    truth = nist.exact(problem.x, problem.y)
    result = fitted(problem)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = sm.OLS(problem.y, sm.add_constant(problem.x)).fit(method="qr")
        theirs = (
            nist.digits(np.asarray(other.params), truth.estimates),
            nist.digits(np.asarray(other.bse), truth.errors),
        )
    ours = (
        nist.digits(np.array([result.intercept, *result.coef]), truth.estimates),
        nist.digits(errors_of(result), truth.errors),
    )
    assert ours[0] >= theirs[0] - 1
    assert ours[1] >= theirs[1] - 1


@pytest.mark.parametrize("name", REACHED)
def test_promised_digits_are_kept(nist, name: str) -> None:
    problem = nist.certified(name)
    truth = nist.exact(problem.x, problem.y)
    for row, estimate, error in zip(fitted(problem).coefficients, truth.estimates, truth.errors, strict=True):
        assert abs(row.estimate - estimate) <= 10.0**-row.digits * max(abs(estimate), error)
