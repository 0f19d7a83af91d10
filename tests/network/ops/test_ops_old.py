"""Examples of ops in the form, or with the meaning, that they had in older opsets, from 7 on."""

import numpy as np
import pytest
from onnx import TensorProto
from op_contract import Example, Whole, promise

rng = np.random.default_rng(5)


def a(*shape):
    return rng.normal(size=shape)


def positive(*shape):
    return rng.uniform(0.5, 2.0, size=shape)


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


OLD = (7, 8, 9, 10, 11, 12)
SCALES = np.array([1.0, 1.0, 2.0, 3.0], dtype=np.float32)
UNEVEN = np.array([1.0, 1.0, 1.6, 2.5], dtype=np.float32)
SMALLER = np.array([1.0, 1.0, 0.6, 0.5], dtype=np.float32)
AS_NEW = "reference: reads it as the newest one"
TRAINS = "reference: normalises by the rows' own statistics"

test_forms = promise(
    everywhere=[
        *(Example("Squeeze", (1, 3, 1, 4), axes=[2], opset=opset) for opset in (7, 11, 12)),
        *(Example("Unsqueeze", (1, 3, 4), axes=[1, 3], opset=opset) for opset in (7, 11, 12)),
        Example("Squeeze", (1, 3, 1, 4), axes=[-2], opset=11),
        Example("Slice", (1, 5, 6), axes=[1, 2], starts=[1, -3], ends=[100, -1], opset=7),
        Example("Slice", (1, 6), starts=[0, 2], ends=[1, 5], opset=9),
        Example("Slice", (1, 5, 6), ints(1), ints(5), ints(2), ints(2), opset=10),
        *(Example("Split", (1, 6), split=[2, 4], axis=1, outputs=2, opset=opset) for opset in (7, 11, 12)),
        Example("Split", (1, 6), axis=1, outputs=3, opset=7),
        *(Example("Dropout", (1, 4), ratio=0.3, opset=opset) for opset in (7, 10)),
        Example("Dropout", (1, 4), np.array(0.3), opset=12),
        Example("Clip", (1, 4), opset=7),
        *(Example("Pad", (1, 3, 4), pads=[0, 1, 1, 0, 2, 0], value=1.5, opset=opset) for opset in (7, 10)),
        Example("Pad", (1, 3, 4), pads=[0, 1, 1, 0, 2, 0], mode="reflect", opset=7),
        Example("Pad", (1, 3, 4), pads=[0, 1, -1, 0, 2, 0], opset=7, without="reference: no negative pads"),
        Example("Pad", (1, 3, 4), ints(0, 1, 1, 0, 2, 0), np.array(1.5), opset=11),
        *(Example("ReduceSum", (1, 3, 4), axes=[2], opset=opset) for opset in (7, 11, 12)),
        Example("ReduceSum", (1, 3, 4), keepdims=0, opset=7),
        *(Example("ReduceMean", (1, 3, 4), axes=[1, 2], keepdims=0, opset=opset) for opset in (7, 11, 12)),
        *(Example("Flatten", (1, 3, 4), axis=2, opset=opset) for opset in (7, 9, 11)),
        *(Example("Reshape", (1, 3, 4), ints(0, -1), opset=opset) for opset in OLD),
        *(Example("Concat", (1, 3), (1, 2), axis=1, opset=opset) for opset in (7, 11)),
        *(Example("Transpose", (1, 3, 4), perm=[0, 2, 1], opset=opset) for opset in (7, 12)),
        *(Example("Gather", (1, 5, 3), ints(4, 0, 2), axis=1, opset=opset) for opset in (7, 11)),
        Example("Expand", (1, 1, 4), ints(1, 3, 4), opset=8),
        Example("Tile", (1, 3, 4), ints(1, 2, 1), opset=7),
        Example("Where", np.array([True, False, True]), (1, 3), a(1, 3), opset=9),
        Example("Cast", (1, 4), to=TensorProto.DOUBLE, opset=7),
        Example("Scatter", (1, 4), np.array([[2, 0]]), (1, 2), axis=1, opset=9, without="reference: not implemented"),
        Example("DepthToSpace", (1, 8, 2, 3), blocksize=2, opset=7),
        Example("SpaceToDepth", (1, 2, 4, 6), blocksize=2, opset=7),
    ],
    region=[
        *(Example("Clip", (1, 8), min=-0.5, max=1.0, opset=opset) for opset in (7, 10)),
        Example("Clip", (1, 8), max=0.5, opset=7),
        Example("Clip", (1, 8), np.array(-0.5), np.array(1.0), opset=11),
        Example("Max", (1, 5), (1, 5), opset=7),
        Example("Max", (1, 5), a(1), opset=8),
        Example("PRelu", (1, 3, 4), positive(3, 1), opset=7),
        Example("ReduceMax", (1, 3, 4), axes=[2], opset=7),
        Example("ArgMax", (1, 3, 4), axis=1, opset=7),
        Example("MaxPool", (1, 2, 5, 4), kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 0, 1], opset=7),
        Example("MaxPool", (1, 2, 6), kernel_shape=[3], strides=[2], ceil_mode=1, opset=10),
        Example("Gather", a(4, 3), Whole((1, 2), 4), opset=7),
        Example("ReduceL1", (1, 3, 4), axes=[-1], opset=11),
    ],
    point=[
        Example("ReduceL2", (1, 3, 4), axes=[1], opset=7),
        Example("ReduceProd", (1, 3, 4), axes=[1], opset=7),
        Example("ReduceLogSumExp", (1, 3, 4), axes=[2], opset=12),
    ],
)
test_meanings = promise(
    everywhere=[
        *(
            Example("BatchNormalization", (1, 3, 2), a(3), a(3), a(3), positive(3), opset=opset, without=TRAINS, **more)
            for opset, more in ((7, {"spatial": 1}), (8, {}), (9, {}), (12, {"epsilon": 1e-2}), (13, {}))
        ),
        *(Example("Add", (1, 3, 4), a(4), opset=opset) for opset in OLD),
        Example("Mul", a(3, 1), (1, 3, 4), opset=7),
        *(Example("Gemm", (1, 3), a(3, 5), a(5), opset=opset) for opset in OLD),
        Example("Gemm", (1, 3), a(5, 3), a(1, 1), alpha=0.5, beta=2.0, transB=1, opset=7),
        Example("Gemm", (1, 3), a(3, 5), opset=11),
        *(Example("MatMul", (1, 2, 3), a(3, 4), opset=opset) for opset in (7, 9)),
        Example("AveragePool", (1, 2, 5), kernel_shape=[3], pads=[1, 1], count_include_pad=1, opset=7),
        Example("AveragePool", (1, 2, 6), kernel_shape=[3], strides=[2], ceil_mode=1, opset=10),
        Example("Conv", (1, 2, 5, 5), a(4, 2, 3, 3), a(4), pads=[1, 1, 1, 1], opset=7),
        Example("ConvTranspose", (1, 2, 4, 4), a(2, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER", opset=7),
    ],
    point=[
        *(
            Example(name, (1, 3, 4), opset=opset, without=AS_NEW, **more)
            for name in ("Softmax", "LogSoftmax")
            for opset, more in ((7, {}), (7, {"axis": 2}), (11, {"axis": -2}), (12, {"axis": 0}))
        ),
        Example("Softmax", (1, 3, 2, 2), axis=2, opset=12, without=AS_NEW),
    ],
)
test_larger_and_smaller = promise(
    everywhere=[
        *(
            Example("Upsample", (1, 2, 3, 2), scales=scales.tolist(), mode=mode, opset=7, without="reference: opset 9")
            for mode in ("nearest", "linear")
            for scales in (SCALES, UNEVEN)
        ),
        Example("Upsample", (1, 2, 3, 2), SCALES, opset=9),
        Example("Upsample", (1, 2, 3, 2), UNEVEN, mode="linear", opset=9, without="reference: not implemented"),
        *(
            Example("Resize", (1, 2, 5, 4), scales, mode=mode, opset=10, without="reference: reads it as opset 11")
            for mode in ("nearest", "linear")
            for scales in (SCALES, UNEVEN, SMALLER)
        ),
    ]
)


@pytest.mark.parametrize(
    ("example", "why"),
    [
        (Example("BatchNormalization", (1, 3, 2), a(3), a(3), a(3), positive(3), outputs=5, opset=9), "training mode"),
        (
            Example("BatchNormalization", (1, 3, 2), *(positive(3, 2) for _ in range(4)), spatial=0, opset=7),
            "each place of a channel",
        ),
    ],
)
def test_what_is_refused(example, why):
    from unbend.network.local import Unsupported
    from unbend.network.ops import reach_of

    assert reach_of(example.node, example.variable) == "point"
    with pytest.raises(Unsupported, match=why):
        example.answer(example.values(rng))
