"""Examples of every form of linear map, with shapes that fit one another."""

import numpy as np

from unbend.affine import (
    Blocks,
    Chain,
    Convolution,
    Dense,
    Diagonal,
    Identity,
    LinearMap,
    Mixing,
    Selection,
    Sum,
    Transposed,
)

EXACT = 1e-12
rng = np.random.default_rng(4)
SHAPES = [(1, 6), (2, 3), (6,), (1, 1, 6), (1, 2, 3), (1, 2, 3, 3)]


def a(*shape: int) -> np.ndarray:
    return rng.normal(size=shape)


def window(image: np.ndarray, groups: int = 1, pads=((1, 0), (0, 1)), strides=(1, 1), dilations=(1, 1)) -> Convolution:
    return Convolution(image, (1, 2, 3, 3), strides, pads, dilations, groups)


IDENTITY = [Identity(shape) for shape in SHAPES]
DIAGONAL = [
    *(Diagonal.of(a(*shape), shape) for shape in SHAPES),
    *(Diagonal.of(2.0, shape) for shape in SHAPES),
    Diagonal.of(a(3), (2, 3)),
    Diagonal.of(a(2, 1), (2, 3)),
    Diagonal.of(a(2, 1, 1), (1, 2, 3, 3)),
]
DENSE = [
    Dense(a(6, 6), (1,)),
    Dense(a(4, 6), (1,)),
    Dense(a(6, 4), (1,)),
    Dense(a(3, 3), (2,)),
    Dense(a(5, 3), (2,)),
    Dense(a(6, 6), ()),
    Dense(a(6, 6), (1, 1)),
    Dense(a(3, 3), (1, 2)),
    Dense(a(18, 18), (1,)),
    Dense(a(3, 3), (1, 2, 3)),
]
BLOCKS = [
    Blocks(a(1, 2, 3, 3), (2,)),
    Blocks(a(1, 1, 4, 6), (1,)),
    Blocks(a(1, 1, 2, 3, 3), (1, 2)),
    Blocks(a(1, 1, 3, 3), (2,)),
]
SELECTION = [
    *(Selection.reshape((1, 6), shape) for shape in SHAPES[:-1]),
    *(Selection.reshape(shape, (1, 6)) for shape in SHAPES[1:-1]),
    Selection.reshape((1, 2, 3, 3), (1, 18)),
    Selection.reshape((1, 18), (1, 2, 3, 3)),
    Selection.transposed((2, 3), (1, 0)),
    Selection.transposed((1, 2, 3), (0, 2, 1)),
    Selection.transposed((1, 2, 3, 3), (0, 1, 3, 2)),
    Selection(np.array([[5, -1, 0, 0, 2, 1]]), (1, 6)),
    Selection(np.array([[5, 4, 3, 2, 1, 0]]), (1, 6)),
    Selection(np.array([[2, 2, -1, -1, 0, 1, 5, 4]]), (1, 6)),
    Selection(np.array([[1, 1, -1], [4, 4, -1]]), (2, 3)),
    Selection(np.array([[1, 2], [4, 5]]), (2, 3)),
    Selection(np.array([4, 1, -1]), (2, 3)),
    Selection(
        np.pad(np.arange(12).reshape(1, 2, 2, 3), ((0, 0),) * 2 + ((1, 0), (0, 0)), constant_values=-1), (1, 2, 2, 3)
    ),
    Selection.broadcast((2, 3), (4, 2, 3)),
    Selection.broadcast((1, 6), (2, 6)),
    Selection.nothing((1, 6), (2, 3)),
    Selection(np.arange(18).reshape(1, 2, 3, 3)[:, 1:], (1, 2, 3, 3)),
    Selection(np.arange(18).reshape(1, 2, 3, 3)[:, ::-1], (1, 2, 3, 3)),
    Selection(np.concatenate([np.full((1, 1, 3, 3), -1), np.arange(9).reshape(1, 1, 3, 3)], axis=1), (1, 1, 3, 3)),
    Selection(np.tile(np.arange(9).reshape(1, 1, 3, 3), (1, 2, 1, 1)), (1, 1, 3, 3)),
    Selection(
        np.stack([np.arange(9, 18), np.full(9, -1), np.arange(9), np.arange(9)]).reshape(1, 4, 3, 3), (1, 2, 3, 3)
    ),
]
CONVOLUTION = [
    window(a(2, 2, 2, 2)),
    window(a(2, 2, 2, 2)),
    window(a(2, 1, 2, 2), groups=2),
    window(a(4, 1, 2, 2), groups=2, strides=(2, 1)),
    window(a(3, 2, 2, 3), pads=((2, 1), (1, 1)), dilations=(2, 1)),
    window(a(2, 2, 1, 1), pads=((0, 0), (0, 0))),
    window(a(2, 2, 2, 2), pads=((-1, 1), (0, -1))),
    Convolution(a(4, 2, 3), (2, 2, 5), (2,), ((1, 1),), (1,)),
    Convolution(a(3, 4, 2, 2), (1, 4, 3, 3), (1, 1), ((1, 0), (0, 1)), (1, 1)),
    Convolution(a(3, 2, 2, 2), (1, 2, 1, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)),
]
CHAIN = [
    Chain((Dense(a(6, 6), (1,)), Selection.reshape((1, 6), (2, 3)), Dense(a(3, 3), (2,)))),
    Chain((window(a(2, 2, 2, 2)), Selection.reshape((1, 2, 3, 3), (1, 18)))),
]
SUM = [
    Sum((window(a(2, 2, 2, 2)), Identity((1, 2, 3, 3)))),
    Sum((Selection(np.array([[1, 1, -1], [4, 4, -1]]), (2, 3)), Dense(a(3, 3), (2,)))),
]
TRANSPOSED = [Transposed(one) for one in (CONVOLUTION[0], CONVOLUTION[3], CONVOLUTION[5], Dense(a(3, 6), (1,)))]

MIXING = [
    Mixing(a(4, 2), (2, 3)),
    Mixing(np.full((3, 3), 1 / 3) + np.array([[0.5], [0], [-0.5]]), (2, 3), last=True, means=True),
    Mixing(a(1, 2, 5), (1, 5, 3)),
    Mixing(a(1, 2, 3, 3), (1, 2, 3, 3)),
    Mixing(a(1, 1, 3, 2), (1, 2, 3, 3), last=True),
]

FORMS: dict[type[LinearMap], list] = {
    Identity: IDENTITY,
    Diagonal: DIAGONAL,
    Dense: DENSE,
    Blocks: BLOCKS,
    Selection: SELECTION,
    Convolution: CONVOLUTION,
    Chain: CHAIN,
    Sum: SUM,
    Transposed: TRANSPOSED,
    Mixing: MIXING,
}
ALL: list[LinearMap] = [one for examples in FORMS.values() for one in examples]


def same(found: LinearMap, matrix: np.ndarray) -> None:
    """The map's dense form is `matrix`."""
    np.testing.assert_allclose(
        found.dense(), matrix, rtol=0, atol=EXACT * max(1.0, float(np.abs(matrix).max(initial=0)))
    )
