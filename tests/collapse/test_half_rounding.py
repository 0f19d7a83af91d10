"""Weights in half precision: each is one of its two neighbours, and what is constant in the inputs loses little."""

import itertools
import sys

import ml_dtypes
import numpy as np
import pytest

from unbend.collapse.write.rounding import CHANNEL, FEWEST, MEAN, PIXEL, rounded_rows

HALF = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)]
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("shape", [(5, 300), (1, 9), (7, 40, 3, 3), (4, 1, 7, 7), (3, 0)], ids=str)
@pytest.mark.parametrize("scale", [1.0, 1e-7, 3e4])
def test_every_weight_is_one_of_the_two_numbers_around_it(dtype, shape, scale):
    exact = scale * np.clip(RNG.standard_normal(shape), -2, 2)
    found = rounded_rows(exact, dtype)
    assert found.dtype == dtype
    assert found.shape == shape
    nearest = exact.astype(dtype)
    below, above = (np.nextafter(nearest, np.array(end, dtype)).astype(float) for end in (-np.inf, np.inf))
    near, got = nearest.astype(float), found.astype(float)
    assert np.all((got == near) | ((got == below) & (near > exact)) | ((got == above) & (near < exact)))


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_what_a_relu_makes_loses_a_sixth_less_and_an_image_three_quarters(dtype):
    exact = RNG.standard_normal((200, 32, 3, 3))
    pixels = RNG.standard_normal((32, 3, 3, 400))
    inputs = {
        "mean zero": (pixels, 1.03),
        "Relu": (np.maximum(pixels, 0.0), 0.87),
        "channels": (np.abs(RNG.standard_normal((32, 1, 1, 1))) + 0.3 * pixels, 0.5),
        "image": (RNG.uniform(size=(1, 1, 1, 400)) + 0.1 * pixels, 0.25),
    }
    for name, (x, allowed) in inputs.items():
        lost = [
            np.sqrt(np.mean(np.einsum("ocij,cijn->on", one.astype(float) - exact, x) ** 2))
            for one in (rounded_rows(exact, dtype), exact.astype(dtype))
        ]
        assert lost[0] <= allowed * lost[1], name


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_short_row_is_rounded_nearly_as_well_as_any_choice_could(dtype):
    exact = RNG.standard_normal((20, FEWEST))
    nearest = exact.astype(dtype)
    towards = np.where(nearest.astype(float) > exact, -np.inf, np.inf).astype(dtype)
    both = np.stack([nearest, np.nextafter(nearest, towards)]).astype(float) - exact
    choices = np.array(list(itertools.product((0, 1), repeat=FEWEST)))
    errors = both[choices[:, None, :], np.arange(20)[None, :, None], np.arange(FEWEST)]

    def loss(error):
        return (PIXEL + CHANNEL) * np.sum(error**2, axis=-1) + MEAN * np.sum(error, axis=-1) ** 2

    best, near = loss(errors).min(axis=0), loss(nearest.astype(float) - exact)
    got = loss(rounded_rows(exact, dtype).astype(float) - exact)
    assert np.all(got <= near)
    assert np.sum(got - best) <= 0.5 * np.sum(near - best)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_types_are_rounded_to_nearest(dtype):
    exact = RNG.standard_normal((30, 300))
    np.testing.assert_array_equal(rounded_rows(exact, np.dtype(dtype)), exact.astype(dtype))


def test_what_is_too_large_stays_so_and_nothing_else_becomes_so():
    exact = np.full((2, 20), 65504.0) * np.linspace(0.9, 1.0, 20)
    assert np.isfinite(rounded_rows(exact, HALF[0])).all()
    exact[0, 0] = 70000.0
    assert np.isinf(rounded_rows(exact, HALF[0])[0, 0])


def test_blocks_of_rows_are_rounded_as_the_whole(monkeypatch):
    exact = RNG.standard_normal((50, 6, 3, 3))
    whole = rounded_rows(exact, HALF[0])
    monkeypatch.setattr(sys.modules[rounded_rows.__module__], "BLOCK", 100)
    np.testing.assert_array_equal(rounded_rows(exact, HALF[0]), whole)
