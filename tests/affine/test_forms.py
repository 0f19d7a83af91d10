"""The contract of linear maps: every form agrees with its dense matrix, alone and with every other form."""

import numpy as np
import pytest
from affine_forms import ALL, EXACT, FORMS, same

from unbend.affine import Cost, Identity, LinearMap, Selection, add, compose, stack
from unbend.affine.compose import RULES


def columns(linear: LinearMap) -> np.ndarray:
    """The matrix from the images of the unit tensors."""
    basis = np.eye(linear.in_size).reshape(-1, *linear.in_shape)
    return linear.apply(basis).reshape(linear.in_size, linear.out_size).T


def pytest_generate_tests(metafunc):
    """Every promise is tested on every example of the form."""
    if "one" in metafunc.fixturenames:
        metafunc.parametrize("one", FORMS[metafunc.cls.form], ids=lambda one: f"{one.in_shape}-{one.out_shape}")


class Contract:
    """What each form promises; a form fills in its examples."""

    form: type[LinearMap]

    def test_dense_is_the_matrix_of_apply(self, one):
        same(one, columns(one))

    def test_apply_takes_rows_one_by_one(self, one):
        x = np.random.default_rng(0).normal(size=(4, *one.in_shape))
        together = one.apply(x)
        assert together.shape == (4, *one.out_shape)
        for row in range(4):
            np.testing.assert_allclose(one.apply(x[row : row + 1])[0], together[row], rtol=0, atol=EXACT)

    def test_no_rows_give_no_rows(self, one):
        assert one.apply(np.zeros((0, *one.in_shape))).shape == (0, *one.out_shape)
        assert one.transpose(np.zeros((0, *one.out_shape))).shape == (0, *one.in_shape)

    def test_transpose_is_the_transposed_matrix(self, one):
        y = np.random.default_rng(1).normal(size=(3, *one.out_shape))
        expected = y.reshape(3, -1) @ columns(one)
        np.testing.assert_allclose(one.transpose(y).reshape(3, -1), expected, rtol=0, atol=EXACT)

    def test_apply_leaves_its_input_alone(self, one):
        x = np.random.default_rng(2).normal(size=(2, *one.in_shape))
        before = x.copy()
        one.apply(x)
        np.testing.assert_array_equal(x, before)

    def test_cost_is_that_of_its_numbers(self, one):
        assert Cost() <= one.cost
        assert one.cost.macs <= one.in_size * one.out_size * (3 if self.form.__name__ in {"Chain", "Sum"} else 1)

    def test_composes_with_every_form_that_fits(self, one):
        fitting = [other for other in ALL if other.in_shape == one.out_shape]
        assert fitting or one.out_shape not in {(1, 6), (2, 3)}
        for other in fitting:
            both = compose(other, one)
            assert (both.in_shape, both.out_shape) == (one.in_shape, other.out_shape)
            same(both, other.dense() @ one.dense())

    def test_adds_to_every_form_that_fits(self, one):
        for other in ALL:
            if (other.in_shape, other.out_shape) == (one.in_shape, one.out_shape):
                both = add(one, other)
                assert (both.in_shape, both.out_shape) == (one.in_shape, one.out_shape)
                same(both, one.dense() + other.dense())

    def test_stands_beside_every_form_that_fits(self, one):
        for other in ALL:
            if other.in_shape == one.in_shape and other.out_shape[:-1] == one.out_shape[:-1]:
                both = stack([one, other])
                parts = [m.dense().reshape(*m.out_shape, m.in_size) for m in (one, other)]
                joined = np.concatenate(parts, axis=-2)
                assert both.out_shape == joined.shape[:-1]
                same(both, joined.reshape(-1, one.in_size))

    def test_the_identity_changes_nothing(self, one):
        assert compose(Identity(one.out_shape), one) is one or self.form.__name__ in {"Chain", "Identity", "Selection"}
        same(compose(one, Identity(one.in_shape)), one.dense())
        same(compose(Identity(one.out_shape), one), one.dense())


for _form in FORMS:
    globals()[f"Test{_form.__name__}"] = type(f"Test{_form.__name__}", (Contract,), {"form": _form})


def test_every_form_fills_the_contract_in():
    def forms(base: type) -> set[type]:
        return {one for sub in base.__subclasses__() for one in ({sub} | forms(sub))}

    assert {form for form in forms(LinearMap) if form.__module__.startswith("unbend.affine")} == set(FORMS)


@pytest.mark.parametrize("forms", RULES, ids=lambda forms: "-".join(form.__name__ for form in forms))
def test_every_rule_is_exercised(forms):
    second, first = forms
    used = 0
    for other in FORMS[second]:
        for one in FORMS[first]:
            if other.in_shape == one.out_shape:
                product = RULES[forms](other, one)
                if product is not None:
                    same(product, other.dense() @ one.dense())
                    used += 1
    assert used


def test_reshapes_that_cancel_leave_nothing():
    there, back = Selection.reshape((1, 6), (2, 3)), Selection.reshape((2, 3), (1, 6))
    assert isinstance(compose(back, there), Identity)
    turned = Selection.transposed((2, 3), (1, 0))
    assert isinstance(compose(Selection.transposed((3, 2), (1, 0)), turned), Identity)
