"""scikit-learn's whole contract for estimators, without exceptions."""

import os
import subprocess
import sys

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

import unbend

ESTIMATORS = [
    unbend.LinearRegression(),
    unbend.LinearRegression(fit_intercept=False),
    unbend.LinearRegression(collinear="drop"),
    unbend.Ridge(),
    unbend.Ridge("gcv"),
    unbend.Ridge("loo", standardise=True),
    unbend.Ridge(fit_intercept=False),
    unbend.PolynomialRegression(),
    unbend.ReducedRankRegression(),
    unbend.ReducedRankRegression(2, fit_intercept=False),
    unbend.DeepLinearRidge(),
    unbend.DeepLinearRidge(1, 0.1, fit_intercept=False),
    unbend.DeepLinearRidge(3),
    unbend.LogisticRegression(),
    unbend.LogisticRegression(0.01, standardise=True, fit_intercept=False),
    unbend.PolynomialRegression(interaction_only=True, fit_intercept=False),
]

NEEDS_A_SETTING = "check_array_api_input"
"""Runs only in a process that was started with SCIPY_ARRAY_API=1."""


def checks(estimator):
    return [check for _, check in estimator_checks_generator(estimator) if check.func.__name__ != NEEDS_A_SETTING]


@pytest.mark.filterwarnings("ignore::unbend.regression.estimators.linear_regression.CollinearWarning")
@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(estimator, check, id=f"{estimator}-{check.func.__name__}-{i}")
        for estimator in ESTIMATORS
        for i, check in enumerate(checks(estimator))
    ],
)
def test_scikit_learn_contract(estimator, check) -> None:
    check(estimator)


def test_scikit_learn_contract_of_array_namespaces() -> None:
    code = (
        "from unbend import *\n"
        "from sklearn.utils.estimator_checks import estimator_checks_generator\n"
        f"found = [(e, c) for one in {ESTIMATORS} for e, c in estimator_checks_generator(one)\n"
        f"         if c.func.__name__ == {NEEDS_A_SETTING!r}]\n"
        "[check(estimator) for estimator, check in found]\n"
        "print('done')\n"
    )
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "done\n", done.stderr
