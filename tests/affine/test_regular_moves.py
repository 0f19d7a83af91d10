"""Moves in regular steps are copied as views: each gives what its index says."""

import numpy as np
import pytest

from unbend.affine import Selection
from unbend.affine.selection import MANY

SHAPE = (1, 8, 30, 40)
NUMBERS = np.arange(np.prod(SHAPE)).reshape(SHAPE)

MOVES = {
    "transposed": NUMBERS.transpose(0, 2, 3, 1),
    "cut": NUMBERS[:, 2:, 3:29, 1:],
    "every other": NUMBERS[:, :, ::2, 1::3].repeat(3, axis=2),
    "backwards": NUMBERS[:, ::-1, :, ::-1],
    "padded": np.pad(NUMBERS, ((0, 0), (0, 0), (2, 1), (3, 0)), constant_values=-1),
    "a part of a join": np.pad(NUMBERS[:, :, 4:9], ((0, 0), (5, 7), (0, 30), (0, 0)), constant_values=-1),
    "repeated": np.broadcast_to(NUMBERS[:, :, :1], SHAPE),
    "rolled": np.roll(NUMBERS, 3, axis=3),
    "nothing": np.full(SHAPE, -1),
    "with a hole": np.where(NUMBERS == 77, -1, NUMBERS),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves(name):
    index = np.ascontiguousarray(MOVES[name])
    x = np.random.default_rng(0).normal(size=(3, *SHAPE))
    expected = np.where(index < 0, 0.0, x.reshape(3, -1)[:, index])
    assert index.size > MANY
    np.testing.assert_array_equal(Selection(index, SHAPE).apply(x), expected)
    np.testing.assert_array_equal(
        Selection(index, SHAPE).apply(np.broadcast_to(x[:, :, :, :1], x.shape)),
        np.where(index < 0, 0.0, np.broadcast_to(x[:, :, :, :1], x.shape).reshape(3, -1)[:, index]),
    )
