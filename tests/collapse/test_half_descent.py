"""Weights rounded on activations: one of the two neighbours each, and nearly as good as any choice could be."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from unbend.affine import Affine, Convolution, Dense
from unbend.collapse.write.descent import Inputs, descended, fitted
from unbend.collapse.write.rounding import Choice, rounded_rows

HALF = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]


def choice(exact, dtype):
    return Choice.of(exact, exact.astype(dtype))


def loss(errors, second):
    return np.einsum("goi,gij,goj->go", errors, second, errors)


def correlated(rng, groups, inputs, samples=400):
    x = rng.standard_normal((groups, samples, inputs)) @ rng.standard_normal((groups, inputs, inputs)) + 1.0
    return np.swapaxes(x, 1, 2) @ x / samples


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_every_weight_is_one_of_the_two_numbers_around_it(dtype):
    rng = np.random.default_rng(0)
    exact = rng.standard_normal((2, 7, 150))
    exact[0, 0, :9] = [0.0, 1.0, -2.0, 0.5, 65504.0, -65504.0, 1e-7, 3e-8, 1e-9]
    found = descended(choice(exact, dtype), correlated(rng, 2, 150), 1000).chosen.astype(float)
    near = exact.astype(dtype)
    with np.errstate(over="ignore"):
        below, above = (np.nextafter(near, np.array(end, dtype)).astype(float) for end in (-np.inf, np.inf))
    near = near.astype(float)
    assert np.all((found == near) | ((found == below) & (near > exact)) | ((found == above) & (near < exact)))
    assert np.all(found[near == exact] == exact[near == exact])
    assert np.mean(found != near) > 0.1


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_it_loses_no_more_and_nearly_as_little_as_any_choice(dtype):
    rng = np.random.default_rng(1)
    exact, second = rng.standard_normal((1, 100, 9)), correlated(rng, 1, 9)
    start = choice(exact, dtype)
    both = np.stack([start.chosen, start.other]).astype(float) - exact
    picks = np.array(list(itertools.product((0, 1), repeat=9)))
    every = both[picks[:, None, :], 0, np.arange(100)[None, :, None], np.arange(9)]
    best = loss(every, np.repeat(second, len(every), axis=0)).min(axis=0)
    near, found = loss(start.error, second)[0], loss(descended(start, second, 9).error, second)[0]
    assert np.all(found <= near * (1 + 1e-12))
    assert np.sum(found - best) <= 0.25 * np.sum(near - best)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_inputs_that_have_nothing_to_do_with_each_other_leave_nearest_rounding(dtype):
    exact = np.random.default_rng(2).standard_normal((1, 20, 200))
    second = np.diag(np.linspace(0.1, 3.0, 200))[None]
    start = choice(exact, dtype)
    np.testing.assert_array_equal(descended(start, second, 200).chosen, start.chosen)


def test_chance_is_not_taken_for_what_inputs_have_in_common():
    """From few rows of independent numbers hardly anything is believed; from many of a common factor nearly all."""
    rng = np.random.default_rng(3)
    linear = Dense(np.zeros((2, 60)))
    few = Inputs.of(linear, rng.standard_normal((80, 60))).second[0]
    common = rng.standard_normal((300, 1)) + 0.5 * rng.standard_normal((300, 60))
    many = Inputs.of(linear, common).second[0]
    apart = ~np.eye(60, dtype=bool)
    assert np.abs(few[apart]).max() < 0.03
    assert np.all(np.abs(many[apart] - 1.0) < 0.3)
    np.testing.assert_allclose(np.diag(many), np.mean(common**2, axis=0))


def images(rng, count):
    """Smooth images of several channels behind a Relu."""
    rough = rng.standard_normal((count, 8, 16, 16)) + rng.standard_normal((count, 1, 16, 16))
    smooth = rough + np.roll(rough, 1, -1)
    return np.maximum(smooth + np.roll(smooth, 1, -2), 0.0)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_on_rows_that_it_has_not_seen_it_loses_less(dtype, groups):
    rng = np.random.default_rng(4)
    kernel, bias = rng.standard_normal((16, 8 // groups, 3, 3)), rng.standard_normal((1, 16, 1, 1))
    affine = Affine(Convolution(kernel, (1, 8, 16, 16), (2, 2), ((1, 1), (1, 1)), (1, 1), groups), bias)
    start = rounded_rows(kernel, dtype)
    weights, offset = fitted(affine, start, images(rng, 20), 1000)
    assert weights.dtype == dtype
    np.testing.assert_array_equal(offset, offset.astype(dtype).astype(float))
    x = images(rng, 20)
    truth = affine.apply(x)
    plain, found = (
        np.sqrt(np.mean((affine.linear.with_kernel(one.astype(float)).apply(x) + b - truth) ** 2))
        for one, b in ((start, bias.astype(dtype).astype(float)), (weights, offset))
    )
    assert found < 0.95 * plain


@pytest.mark.parametrize("groups", [1, 2])
def test_samples_are_windows_of_the_convolution(groups):
    """The weights times the samples are the outputs at the places."""
    rng = np.random.default_rng(5)
    linear = Convolution(
        rng.standard_normal((6, 4 // groups, 3, 2)), (1, 4, 7, 9), (2, 1), ((1, 0), (2, 1)), (1, 2), groups
    )
    x = rng.standard_normal((3, 1, 4, 7, 9))
    places = np.array([0, 5, 11])
    seen = linear.windows(x, lambda count: places)
    found = seen @ np.swapaxes(linear.kernel.reshape(groups, 6 // groups, -1), 1, 2)
    expected = linear.apply(x).reshape(3, groups, 6 // groups, -1)[..., places]
    np.testing.assert_allclose(found.reshape(groups, 3, 3, -1), expected.transpose(1, 0, 3, 2))


def test_parts_of_the_columns_are_rounded_by_themselves():
    rng = np.random.default_rng(6)
    exact, second = rng.standard_normal((1, 5, 100)), correlated(rng, 1, 100)
    start = choice(exact, HALF[0])
    whole = descended(start, second, 40).chosen
    for part in (slice(40), slice(40, 80), slice(80, 100)):
        alone = descended(choice(exact[..., part], HALF[0]), second[:, part, part], 40).chosen
        np.testing.assert_array_equal(whole[..., part], alone)
