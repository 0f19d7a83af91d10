"""What ops say where they bend, at extreme inputs, and where they have no answer."""

import numpy as np
import pytest
from op_contract import Example, Whole

from unbend.network.local import Unsupported

AT_ZERO = [
    (Example("Relu", (1, 1)), 0.0, False),
    (Example("LeakyRelu", (1, 1), alpha=0.25), 0.25, False),
    (Example("PRelu", (1, 1), np.array([0.5])), 0.5, False),
    (Example("Abs", (1, 1)), -1.0, False),
    (Example("Clip", (1, 1), np.array(0.0)), 0.0, False),
    (Example("Clip", (1, 1), None, np.array(0.0)), 0.0, False),
    (Example("ThresholdedRelu", (1, 1), alpha=0.0), 0.0, False),
    (Example("HardSigmoid", (1, 1), alpha=1.0, beta=0.0), 0.0, False),
    (Example("Shrink", (1, 1), lambd=0.0), 0.0, False),
    (Example("Max", (1, 1), np.array(0.0)), 1.0, True),
    (Example("Max", np.array(0.0), (1, 1)), 0.0, False),
    (Example("Min", (1, 1), np.array(0.0)), 1.0, True),
    (Example("ReduceL1", (1, 1), np.array([1])), 0.0, None),
    (Example("Elu", (1, 1), alpha=0.5), 0.5, None),
]


@pytest.mark.parametrize(("example", "slope", "active"), AT_ZERO, ids=lambda given: repr(given))
def test_the_side_that_is_taken_at_the_bend(example, slope, active):
    (one,) = example.answer({position: np.zeros((1, 1, 1)) for position in example.variable})
    assert one.maps[example.variable[0]].dense() == slope
    assert one.active is None if active is None else one.active.item() == active


@pytest.mark.parametrize("rows", [1, 2])
def test_the_first_of_equals_is_the_largest(rows):
    pool = Example("MaxPool", (1, 1, 4), kernel_shape=[4])
    (one,) = pool.answer({0: np.ones((rows, 1, 1, 4))})
    gradient = one.maps[0].transpose(np.ones((rows, 1, 1, 1)))
    np.testing.assert_array_equal(gradient[:, 0, 0], np.tile([1.0, 0, 0, 0], (rows, 1)))


def test_active_says_which_elements_pass():
    x = np.array([[-2.0, -0.2, 0.3, 4.0]])[None]

    def active(*given, **attributes):
        return Example(*given, **attributes).answer({0: x})[0].active[0, 0].tolist()

    assert active("Relu", (1, 4)) == [False, False, True, True]
    assert active("Clip", (1, 4), np.array(-1.0), np.array(1.0)) == [False, True, True, False]
    assert active("HardSigmoid", (1, 4), alpha=1.0, beta=0.5) == [False, True, True, False]
    assert active("Shrink", (1, 4), lambd=0.5) == [True, False, False, True]
    assert active("ThresholdedRelu", (1, 4), alpha=1.0) == [False, False, False, True]
    assert active("Min", (1, 4), np.array(1.0)) == [True, True, True, False]


@pytest.mark.parametrize(
    "op_type",
    ["Sigmoid", "Tanh", "Erf", "Softplus", "Softsign", "Gelu", "Mish", "HardSwish", "Elu", "Selu", "Celu", "Softmax"],
)
def test_far_out_the_value_and_the_slope_are_finite(op_type):
    example = Example(op_type, (1, 4))
    (one,) = example.answer({0: np.array([[[-1e4, 1e4, -800.0, 800.0]]])})
    assert np.isfinite(one.value).all()
    assert np.isfinite(one.maps[0].dense()).all()


def test_where_there_is_no_finite_slope_the_slope_says_so_without_a_warning():
    for op_type in ("Sqrt", "Log", "Reciprocal"):
        (one,) = Example(op_type, (1, 1)).answer({0: np.zeros((1, 1, 1))})
        assert not np.isfinite(one.maps[0].dense()).any()


def test_products_with_a_zero_have_the_right_slope():
    example = Example("ReduceProd", (1, 3), np.array([1]))
    for x, slope in (([2.0, 0, 3], [0, 6, 0]), ([0.0, 0, 3], [0, 0, 0]), ([2.0, 4, 3], [12, 6, 8])):
        (one,) = example.answer({0: np.array([[x]])})
        np.testing.assert_array_equal(one.maps[0].dense()[0], slope)


INDEX = np.array([[0, 1]])
NO_ANSWER = {
    "training mode": [
        Example("Dropout", (1, 4), np.array(0.5), np.array(True)),
        Example("BatchNormalization", (1, 4), *[np.ones(4)] * 4, training_mode=1),
    ],
    "computed by the network": [
        Example("Conv", (1, 2, 4), (3, 2, 2)),
        Example("Conv", (1, 2, 4), np.ones((3, 2, 2)), (3,)),
        Example("ConvTranspose", (1, 2, 4), (2, 3, 2)),
        Example("PRelu", (1, 4), (1, 4)),
        Example("Clip", (1, 4), (1,)),
        Example("LayerNormalization", (1, 4), (4,)),
        Example("ReduceSum", (1, 4), Whole((1,), 3)),
        Example("Gather", (1, 4), Whole((1,), 3), axis=1),
        Example("Pad", (1, 4), Whole((4,), 3)),
    ],
    "depends on the input": [Example("Tile", (1, 4), Whole((2,), 3)), Example("Reshape", (1, 4), Whole((2,), 3))],
    "more than move numbers": [Example("ScatterElements", (1, 4), INDEX, (1, 2), axis=1, reduction="add")],
    "several variable tensors": [Example("Einsum", (1, 4), (1, 4), equation="ij,ij->i")],
    "reads a diagonal": [Example("Einsum", (4, 4), equation="ii->i")],
    "antialiasing": [
        Example("Resize", (1, 4), None, np.array([1.0, 0.5], np.float32), opset=19, mode="linear", antialias=1)
    ],
    "keeps the aspect ratio": [
        Example("Resize", (1, 4), None, None, np.array([1, 3]), opset=19, keep_aspect_ratio_policy="not_larger")
    ],
    "LinearRegressor with": [
        Example("LinearRegressor", (1, 1), domain="ai.onnx.ml", coefficients=[1.0], post_transform="LOGISTIC")
    ],
    "has no affine map": [Example("Cast", (1, 4), to=8)],
    "column-major": [Example("MaxPool", (1, 1, 4), outputs=2, kernel_shape=[2], storage_order=1)],
}


@pytest.mark.parametrize(
    ("reason", "example"), [(reason, one) for reason, examples in NO_ANSWER.items() for one in examples], ids=repr
)
def test_a_node_without_an_answer_says_why(reason, example):
    with pytest.raises(Unsupported, match=reason):
        example.answer(example.values(np.random.default_rng(0), rows=1))


def test_a_bend_without_values_says_so():
    with pytest.raises(Unsupported, match="x0 has no value yet"):
        Example("Relu", (1, 4)).answer(None)


def test_small_blocks_pick_the_same(monkeypatch):
    example = Example("MaxPool", (1, 3, 6, 6), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    values = example.values(np.random.default_rng(0))
    expected = example.outputs_at(values)[0]
    monkeypatch.setattr("unbend.network.ops.extremum.BLOCK", 1)
    np.testing.assert_array_equal(example.outputs_at(values)[0], expected)
