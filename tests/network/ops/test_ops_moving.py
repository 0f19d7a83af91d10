"""Examples for ops that pass numbers on, move them, or choose among them."""

import numpy as np
from onnx import TensorProto
from op_contract import Example, Whole, promise

rng = np.random.default_rng(2)


def a(*shape):
    return rng.normal(size=shape)


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


BORDER = ints(0, 1, 1, 0, 2, 0)
MASK = np.array([True, False, False, True])

test_identity = promise(
    everywhere=[
        Example("Identity", (1, 4)),
        Example("LeakyRelu", (1, 4), alpha=1.0),
        Example("Clip", (1, 4)),
        Example("Clip", (1, 4), np.array(-np.inf), np.array(np.inf)),
        Example("PRelu", (1, 4), np.ones(4)),
        Example("PRelu", (1, 2, 4), np.ones((2, 1))),
        Example("Dropout", (1, 4)),
        Example("Dropout", (1, 4), np.array(0.3), np.array(False), outputs=2),
        Example("Cast", (1, 4), to=TensorProto.FLOAT, without="reference: rounds to float32"),
        Example("Cast", (1, 4), to=TensorProto.DOUBLE),
        Example("CastLike", (1, 4), a(1)),
    ],
    region=[
        Example("Cast", (1, 4), to=TensorProto.INT64),
        Example("Cast", (1, 4), to=TensorProto.BOOL),
    ],
)
test_shape = promise(
    everywhere=[
        Example("Reshape", (1, 3, 4), ints(0, -1)),
        Example("Reshape", (1, 3, 4), ints(-1, 2, 6)),
        Example("Reshape", (1, 3, 4), ints(1, 12), allowzero=1),
        Example("Flatten", (1, 3, 4)),
        Example("Flatten", (1, 3, 4), axis=2),
        Example("Flatten", (1, 3, 4), axis=0),
        Example("Squeeze", (1, 3, 1, 4), ints(2)),
        Example("Squeeze", (1, 3, 1, 4), ints(-2)),
        Example("Unsqueeze", (1, 4), ints(1, -1)),
        Example("Transpose", (1, 3, 4), perm=[0, 2, 1]),
        Example("Transpose", (1, 3, 4)),
        Example("DepthToSpace", (1, 8, 2, 3), blocksize=2),
        Example("DepthToSpace", (1, 8, 2, 3), blocksize=2, mode="CRD"),
        Example("SpaceToDepth", (1, 2, 4, 6), blocksize=2),
    ]
)
test_parts = promise(
    everywhere=[
        Example("Slice", (1, 5, 6), ints(1), ints(5), ints(2), ints(2)),
        Example("Slice", (1, 5, 6), ints(-1, 1), ints(-7, 4), ints(2, 1), ints(-2, 1)),
        Example("Slice", (1, 6), ints(0, 2), ints(1, 100)),
        Example("Split", (1, 6), ints(2, 4), axis=1, outputs=2),
        Example("Split", (1, 6), axis=-1, num_outputs=3, outputs=3),
        Example("Split", (1, 7), axis=-1, num_outputs=3, outputs=3),
        Example("Gather", (1, 5, 3), ints(4, 0, 0, -2), axis=1),
        Example("Gather", (1, 5, 3), np.array(2), axis=1),
        Example("GatherND", (1, 3, 4), np.array([[[0, 2, 1]], [[0, 0, -1]]])),
        Example("GatherElements", (1, 4), np.array([[3, 0, -2]]), axis=1),
        Example("Compress", (1, 4), MASK, axis=1),
        Example("CenterCropPad", (1, 3, 4), ints(5, 2), opset=18, axes=[1, 2]),
        Example("Trilu", (1, 3, 4)),
        Example("Trilu", (1, 3, 4), np.array(1), upper=0),
    ],
    region=[
        Example("Gather", a(4, 3), Whole((1, 2), 4)),
        Example("Gather", a(2, 4, 3), Whole((1, 2), 4), axis=1),
        Example("Gather", a(4), Whole((1,), 4)),
    ],
)
test_together = promise(
    everywhere=[
        Example("Concat", (1, 2), a(1, 3), (1, 1), axis=1),
        Example("Concat", (1, 2, 3), (1, 2, 1), axis=-1),
        Example("ScatterND", a(1, 4), np.array([[[0, 1], [0, 3]]]), (1, 2)),
        Example("ScatterND", (1, 4), np.array([[[0, 1], [0, 3]]]), a(1, 2)),
        Example("ScatterND", (1, 4), np.array([[[0, 1], [0, 3]]]), (1, 2)),
        Example("ScatterElements", (1, 4), np.array([[1, -1]]), (1, 2), axis=1),
        Example("Where", MASK, (1, 4), a(4)),
        Example("Where", MASK, (1, 1), (1, 4)),
        Example("Where", MASK, np.array([-np.inf]), (1, 4)),
    ],
)
test_enlarging = promise(
    everywhere=[
        Example("Pad", (1, 3, 4), BORDER),
        Example("Pad", (1, 3, 4), BORDER, np.array(1.5)),
        Example("Pad", (1, 3, 4), ints(0, 1, -1, 0, 2, 0), np.array(-0.5), without="reference: no negative pads"),
        Example("Pad", (1, 3, 4), BORDER, np.array(-np.inf)),
        Example("Pad", (1, 3, 4), ints(1, 2), np.array(1.5), ints(-1)),
        Example("Pad", (1, 3, 4), BORDER, mode="reflect"),
        Example("Pad", (1, 3, 4), BORDER, mode="edge"),
        Example("Pad", (1, 3, 4), BORDER, mode="wrap"),
        Example("Expand", (1, 1, 4), ints(1, 3, 1)),
        Example("Expand", (1, 4), ints(3, 1, 1)),
        Example("Tile", (1, 2, 2), ints(1, 2, 3)),
    ]
)
test_pooling = promise(
    everywhere=[
        Example("AveragePool", (1, 2, 6, 6), kernel_shape=[2, 2], strides=[2, 2]),
        Example("AveragePool", (1, 2, 6, 5), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        Example("AveragePool", (1, 2, 6, 5), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
        Example("AveragePool", (1, 2, 6, 5), kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
        Example("AveragePool", (1, 1, 6, 7), kernel_shape=[3, 3], strides=[2, 3], pads=[1, 0, 1, 1], ceil_mode=1),
        Example(
            "AveragePool",
            (1, 1, 6, 7),
            kernel_shape=[3, 3],
            strides=[2, 3],
            pads=[1, 0, 1, 1],
            ceil_mode=1,
            count_include_pad=1,
        ),
        Example("AveragePool", (1, 2, 7, 6), kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
        Example("AveragePool", (1, 2, 7, 6), kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_LOWER"),
        Example(
            "AveragePool",
            (1, 2, 7, 6),
            without="reference: no ceil_mode with auto_pad",
            kernel_shape=[2, 2],
            strides=[2, 2],
            auto_pad="VALID",
            ceil_mode=1,
        ),
        Example("AveragePool", (1, 2, 7, 6), kernel_shape=[2, 2], dilations=[2, 1]),
        Example("AveragePool", (1, 2, 9), kernel_shape=[4], strides=[3]),
        Example("AveragePool", (1, 1, 5), kernel_shape=[2], strides=[2], pads=[1, 1], ceil_mode=1),
        Example("GlobalAveragePool", (1, 3, 4, 5)),
        Example("GlobalAveragePool", (1, 3, 4)),
    ],
    region=[
        Example("MaxPool", (1, 2, 6, 6), kernel_shape=[2, 2], strides=[2, 2]),
        Example("MaxPool", (1, 2, 6, 5), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        Example("MaxPool", (1, 2, 6, 5), kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1),
        Example("MaxPool", (1, 1, 6, 7), kernel_shape=[3, 3], strides=[2, 3], pads=[1, 0, 1, 1], ceil_mode=1),
        Example("MaxPool", (1, 2, 7, 6), kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
        Example("MaxPool", (1, 2, 7, 6), kernel_shape=[2, 2], auto_pad="SAME_LOWER"),
        Example("MaxPool", (1, 2, 7, 6), kernel_shape=[2, 2], dilations=[2, 1]),
        Example("MaxPool", (1, 2, 9), kernel_shape=[4], strides=[3]),
        Example("MaxPool", (1, 1, 5), kernel_shape=[2], strides=[2], pads=[1, 1], ceil_mode=1),
        Example(
            "MaxPool",
            (1, 2, 6, 5),
            outputs=2,
            without="reference: positions count the padding",
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        ),
        Example("GlobalMaxPool", (1, 3, 4, 5)),
    ],
)
test_extremum = promise(
    region=[
        Example("Max", (1, 4), (1, 4)),
        Example("Max", (1, 4), a(4), (1, 1)),
        Example("Max", np.array(0.0), (1, 4)),
        Example("Min", (1, 4), (1, 1)),
        Example("Min", (1, 3, 4), a(1, 4)),
        Example("ReduceMax", (1, 3, 4), ints(1)),
        Example("ReduceMax", (1, 3, 4), ints(0, 2), keepdims=0),
        Example("ReduceMin", (1, 3, 4)),
        Example("ReduceMax", (1, 3, 4), opset=13, axes=[2]),
        Example("ArgMax", (1, 4), axis=1),
        Example("ArgMax", (1, 3, 4), axis=-2, keepdims=0, select_last_index=1),
        Example("ArgMin", (1, 4), axis=-1),
    ]
)
test_choice = promise(
    region=[
        Example("Where", Whole((1, 4)), (1, 4), a(4)),
        Example("Where", Whole((1, 1)), (1, 4), (3, 1)),
        Example("Where", Whole((1, 4)), a(1), a(4)),
    ]
)
test_step = promise(
    region=[
        *(Example(name, (1, 6)) for name in ("Sign", "Floor", "Ceil", "Round", "IsNaN")),
        Example("Not", Whole((1, 6))),
        *(Example(name, (1, 6), a(6)) for name in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")),
        Example("Greater", (1, 6), (1, 1)),
        *(Example(name, Whole((1, 6)), Whole((1, 6))) for name in ("And", "Or", "Xor")),
    ]
)
