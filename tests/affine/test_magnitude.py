"""What bounds on rounding need of each form: absolute values that hold its matrix, and a count that covers a row."""

import numpy as np
import pytest
from affine_forms import ALL, FORMS

from unbend.affine import Chain, Sum
from unbend.affine.magnitude import absolute, factors, gamma, terms

NAMES = [f"{type(one).__name__}-{one.in_shape}-{one.out_shape}" for one in ALL]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_absolute_holds_the_matrix(one):
    found, matrix = absolute(one).dense(), np.abs(one.dense())
    assert (found >= matrix - 1e-12).all()
    if not isinstance(one, (Chain, Sum)):
        np.testing.assert_allclose(found, matrix, atol=1e-12)


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_terms_cover_the_longest_row(one):
    longest = np.count_nonzero(one.dense(), axis=1).max(initial=0)
    assert terms(one) >= longest - 1
    assert terms(one) > 0 or factors(one) == 0


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_is_known(form):
    for one in FORMS[form]:
        assert factors(one) >= 0
        assert absolute(one).out_shape == one.out_shape


def test_a_floor_is_below_no_coefficient():
    for one in ALL:
        if factors(one) and not isinstance(one, (Chain, Sum)):
            assert (absolute(one, 0.5).dense() >= np.abs(one.dense()) - 1e-12).all()


def test_gamma_is_the_usual_bound():
    assert gamma(10, 1e-3) == pytest.approx(0.01 / 0.99)
    assert gamma(1000, 1e-3) == np.inf
