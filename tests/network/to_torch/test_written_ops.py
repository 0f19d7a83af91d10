"""Every op that is written for torch, beside ONNX's reference and onnxruntime: any padding, any axes, any batch."""

from __future__ import annotations

import pkgutil

import numpy as np
import onnx
import op_contract
import pytest
from written import ORACLES, SINGLE, a, assert_near, by_reference, by_torch, case, rng, runs, whole

from unbend.errors import ModelError
from unbend.network import to_torch
from unbend.network.to_torch import table

pytestmark = pytest.mark.torch

NOT_WRITTEN = {
    "BiasGelu", "CenterCropPad", "Compress", "FastGelu", "GatherND", "LinearRegressor", "LpPool", "QuickGelu", "Scaler",
    "Scatter", "ScatterElements", "ScatterND",
}  # fmt: skip
"""Ops that the op table knows, and torch has no layer or plain function for."""


REFUSED = {
    "ArgMax": "takes the last of equal elements",
    "AveragePool": "is dilated",
    "CumSum": "leaves the element itself out",
    "GatherElements": "counts places from the end",
    "MaxPool": "no torch layer gives y1 of example",
    "Resize": "takes pixels by",
    "Upsample": "takes pixels by linear, asymmetric",
    "Shrink": "shrinks by",
}
"""What nodes do that torch has no layer or plain function for, though it has one for their op."""

IMAGE, FREE = ("N", 3, 9, 8), ("N", 3, "H", "W")
REDUCED = ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2")
REDUCED += ("ReduceSumSquare", "ReduceLogSumExp", "ReduceLogSum")
RESIZED = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
SCALES = np.array([1, 1, 2, 1.5], np.float32)

CASES = [
    case("Gemm", ("N", 4), a(4, 5), a(5), alpha=0.5, beta=2.0),
    case("Gemm", ("N", 4), a(5, 4), a(1, 5), transB=1, beta=-1.0),
    case("Gemm", ("N", 4), a(4, 5), a(1)),
    case("Gemm", ("N", 4), a(4, 5), np.array(1.5)),
    case("Gemm", ("N", 4), a(4, 5)),
    case("Gemm", ("N", 4), a(4, 1), a(1, 1)),
    case("Gemm", (3, 4), a(4, 5), a(3, 1), beta=0.5),
    case("Gemm", (3, 4), a(4, 3), a(3, 1)),
    case("Gemm", (3, 4), a(4, 5), a(3, 5)),
    case("Gemm", (4, 3), a(4, 5), a(5), transA=1, alpha=3.0),
    case("Gemm", (4, 3), a(5, 4), None, transA=1, transB=1),
    case("Gemm", ("N", 4), (4, 5), (5,), alpha=0.25, beta=4.0),
    case("Gemm", ("N", 4), a(4, 5), ("N", 5), beta=0.5),
    case("MatMul", ("N", 2, 4), a(4, 5)),
    case("MatMul", ("N", 2, 4), a(4)),
    case("MatMul", a(2, 4), ("N", 4, 3)),
    case("MatMul", ("N", 2, 4), ("N", 4, 3)),
    case("MatMul", ("N", 2, 4), a(1, 4, 3)),
    case("Conv", IMAGE, a(4, 3, 3, 3), a(4), pads=[1, 0, 2, 1], strides=[2, 1], dilations=[1, 2]),
    case("Conv", IMAGE, a(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 3]),
    case("Conv", IMAGE, a(4, 3, 2, 4), auto_pad="SAME_LOWER", strides=[2, 2]),
    case("Conv", IMAGE, a(4, 3, 3, 3), auto_pad="VALID"),
    case("Conv", FREE, a(4, 3, 4, 2), a(4), auto_pad="SAME_UPPER"),
    case("Conv", IMAGE, a(6, 1, 3, 3), group=3, pads=[1, 1, 1, 1]),
    case("Conv", ("N", 3, "L"), a(4, 3, 3), pads=[2, 2], dilations=[2]),
    case("Conv", ("N", 2, 4, 5, 6), a(3, 2, 2, 3, 1), a(3), pads=[0, 1, 0, 1, 1, 0]),
    case("ConvTranspose", ("N", 4, 5, 4), a(4, 3, 3, 3), a(3), strides=[2, 2], pads=[1, 1, 1, 1]),
    case("ConvTranspose", ("N", 4, 5, 4), a(4, 3, 3, 3), a(3), strides=[2, 3], pads=[0, 1, 1, 2],
         output_padding=[1, 0]),
    case("ConvTranspose", ("N", 4, 5, 4), a(4, 3, 3, 3), strides=[3, 2], dilations=[2, 1], group=2,
         without="reference: no groups"),
    case("ConvTranspose", ("N", 4, 5, 4), a(4, 3, 3, 3), strides=[2, 2], output_shape=[10, 8],
         without="reference: no such shape"),
    case("ConvTranspose", ("N", 4, 5, 4), a(4, 3, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    case("ConvTranspose", ("N", 4, 5, 4), a(4, 3, 4, 4), strides=[2, 2], auto_pad="SAME_LOWER"),
    case("ConvTranspose", ("N", 4, "L"), a(4, 3, 4), strides=[2], pads=[1, 0]),
    case("Gather", a(9, 4), ("N", 5), kind=np.int64, within=(0, 9)),
    case("Gather", a(9, 4), ("N", 5), kind=np.int64, within=(0, 4), axis=1),
    case("Gather", ("N", 5, 4), whole(3, -1, 0), axis=1),
    case("Gather", ("N", 5, 4), np.array(-1), axis=-1),
    case("Gather", ("N", 5, 4), whole(1, 2).reshape(1, 2), axis=2),
    *(case("BatchNormalization", ("N", 3, *image), a(3), a(3), a(3), rng.uniform(0.5, 2, 3), epsilon=1e-3)
      for image in ((), (4,), (4, 5), (2, 3, 4))),
    case("LayerNormalization", IMAGE, a(8), a(8)),
    case("LayerNormalization", IMAGE, a(9, 8), a(9, 8), axis=2, epsilon=1e-2),
    case("LayerNormalization", IMAGE, a(8), a(1), axis=-2, single=2e-5),
    case("LayerNormalization", IMAGE, np.array(1.5), axis=1, single=2e-5),
    case("LayerNormalization", ("N", "L", 8), a(8)),
    case("LayerNormalization", ("N", 3, "L"), a(1), a(1), without="runtime: another scale for each length"),
    case("LayerNormalization", ("N", 3, "L"), a(3, 1), axis=1, without="runtime: another scale for each length"),
    case("RMSNormalization", IMAGE, a(8), opset=23),
    case("RMSNormalization", IMAGE, a(9, 8), axis=2, opset=23),
    case("GroupNormalization", ("N", 6, 4), a(3), a(3), num_groups=3, opset=18, exact=1e-6),
    case("GroupNormalization", ("N", 6, 4, 4), a(6), a(6), num_groups=3, epsilon=0.1, exact=1e-6),
    *(case("InstanceNormalization", ("N", 3, *image), a(3), a(3)) for image in ((5,), (4, 5), (2, 3, 4))),
    case("LRN", ("N", 5, 4, 4), size=3, alpha=0.2, beta=0.6, bias=2.0, without="reference: runs over rows"),
    case("LpNormalization", ("N", 4, 5), axis=1, p=1, without="reference: sums without their signs"),
    case("MaxPool", IMAGE, kernel_shape=[3, 2]),
    case("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    case("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0]),
    case("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[0, 1, 1, 0], ceil_mode=1),
    case("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
    case("MaxPool", FREE, kernel_shape=[3, 3], pads=[2, 2, 2, 2], dilations=[2, 2]),
    case("MaxPool", ("N", 3, "L"), kernel_shape=[2], strides=[2]),
    case("MaxPool", ("N", 2, 4, 5, 6), kernel_shape=[2, 3, 2], pads=[1, 0, 0, 1, 0, 1],
         without="reference: loses its place"),
    case("AveragePool", IMAGE, kernel_shape=[3, 2], strides=[2, 2]),
    *(case("AveragePool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=pads,
         count_include_pad=counted, ceil_mode=up)
      for pads in ([1, 1, 1, 1], [0, 1, 1, 0]) for counted in (0, 1) for up in (0, 1)),
    case("AveragePool", IMAGE, kernel_shape=[2, 4], strides=[2, 1], auto_pad="SAME_LOWER"),
    case("AveragePool", FREE, kernel_shape=[2, 2], pads=[0, 0, 1, 1]),
    *(case("GlobalAveragePool", ("N", 3, *image)) for image in ((5,), (4, 5), (2, 3, 4))),
    *(case("GlobalMaxPool", ("N", 3, *image), without="" if len(image) == 2 else "reference: keeps too few axes")
      for image in ((5,), (4, 5), (2, 3, 4))),
    *(case(name, ("N", 6)) for name in ("Relu", "Sigmoid", "Tanh", "Mish", "Softsign")),
    *(case(name, ("N", 6), within=(-6, 6), single=2e-5, exact=1e-6) for name in ("HardSwish", "Gelu")),
    case("Gelu", ("N", 6), approximate="tanh", exact=1e-6),
    *(case("Softplus", ("N", 60), within=bounds) for bounds in ((-60, 60), (15, 45))),
    *(case(name, ("N", 6), alpha=0.3) for name in ("LeakyRelu", "Elu", "Celu", "ThresholdedRelu")),
    *(case(name, ("N", 6)) for name in ("LeakyRelu", "Elu", "Celu", "ThresholdedRelu", "Selu")),
    case("Selu", ("N", 6), alpha=2.0, gamma=0.5),
    case("HardSigmoid", ("N", 6), within=(-4, 4)),
    case("HardSigmoid", ("N", 6), within=(-4, 4), alpha=1 / 6, exact=1e-6),
    case("Swish", ("N", 6), opset=24, without="runtime: not there"),
    case("Swish", ("N", 6), alpha=1.7, opset=24, without="runtime: not there"),
    case("Shrink", ("N", 6), lambd=0.7),
    case("Shrink", ("N", 6), lambd=0.7, bias=0.7),
    case("PRelu", IMAGE, a(3, 1, 1)),
    case("PRelu", IMAGE, a(1, 3, 1, 1)),
    case("PRelu", IMAGE, a(1)),
    case("PRelu", IMAGE, a(8)),
    case("PRelu", IMAGE, a(1, 9, 1)),
    case("PRelu", ("N", 3), a(3)),
    case("PRelu", ("N", 3), (3,)),
    *(case(name, ("N", 4, 5), axis=axis) for name in ("Softmax", "LogSoftmax") for axis in (1, -1)),
    case("Softmax", ("N", 4, 5)),
    case("Clip", ("N", 6), np.array(-0.5)),
    case("Clip", ("N", 6), None, np.array(0.5)),
    case("Clip", ("N", 6), np.array(-0.5), np.array(0.5)),
    case("Clip", ("N", 6)),
    case("Clip", ("N", 6), np.array(0.5), np.array(-0.5), without="reference: keeps the lower bound"),
    case("Clip", ("N", 6), (), ()),
    case("Reshape", ("N", 4, 6), whole(0, -1, 3)),
    case("Reshape", ("N", 4, 6), whole(-1, 24)),
    *(case("Flatten", ("N", 3, 4, 5), axis=axis) for axis in (0, 1, 2, 3, 4, -1, -3)),
    case("Squeeze", ("N", 1, 4, 1), whole(1, -1)),
    case("Squeeze", ("N", 1, 4, 1), whole(1)),
    case("Unsqueeze", ("N", 4), whole(0, -1, 2)),
    case("Transpose", ("N", 4, 5), perm=[2, 0, 1]),
    case("Transpose", ("N", 4, 5)),
    case("Concat", ("N", 4), a(1, 4), axis=-2),
    case("Concat", ("N", 4), ("N", 2), axis=1),
    case("Split", ("N", 7), whole(3, 4), axis=1, outputs=2),
    case("Split", ("N", 6, 2), axis=1, num_outputs=3, outputs=3),
    case("Split", ("N", 7), axis=-1, num_outputs=3, outputs=3),
    case("Split", ("N", 6), axis=1, opset=13, outputs=2),
    case("Slice", ("N", 9, 8), whole(1, -3), whole(-1, 2**40), whole(1, 2)),
    case("Slice", ("N", 9, 8), whole(-1, 6), whole(-(2**40), 1), whole(1, -1), whole(-1, -2)),
    case("Slice", ("N", 9, 8), whole(20, 7), whole(0, -1), whole(1, 2), whole(-3, -1),
         without="reference: past the end"),
    case("Slice", ("N", 9, 8), whole(0, 0, 1), whole(2**40, 9, 7)),
    case("Slice", ("N", 9, 8), whole(-20), whole(4), whole(1), whole(2)),
    case("Expand", ("N", 1, 4), whole(1, 3, 1)),
    case("Expand", ("N", 4), whole(2, 1, 4)),
    case("Expand", ("N", 3, 4), whole(1, 1)),
    case("Tile", ("N", 3, 4), whole(1, 2, 3)),
    case("Pad", IMAGE, whole(0, 0, 1, 2, 0, 0, 3, 0)),
    case("Pad", IMAGE, whole(0, 1, -1, 2, 0, 0, 3, -2), np.array(1.5), without="reference: no negative pads"),
    case("Pad", IMAGE, whole(1, 2, 3, 0), np.array(-1.0), whole(-1, 1)),
    *(case("Pad", IMAGE, whole(2, 1, 0, 3), None, whole(2, 3), mode=mode) for mode in ("reflect", "edge", "wrap")),
    case("Pad", ("N", 7), whole(0, 2, 0, 3), mode="reflect"),
    case("Pad", ("N", 4, 7), whole(0, 1, 2, 0, 2, 3), mode="edge"),
    *(case("DepthToSpace", ("N", 8, 2, 3), blocksize=2, mode=mode) for mode in ("DCR", "CRD")),
    case("SpaceToDepth", ("N", 3, 4, 6), blocksize=2),
    case("Trilu", ("N", 4, 4)),
    case("Trilu", ("N", 4, 4), np.array(-1), upper=0),
    case("GatherElements", ("N", 4), ("N", 4), kind=np.int64, within=(0, 4), axis=1),
    case("Resize", IMAGE, None, SCALES, **RESIZED),
    case("Resize", FREE, None, SCALES, **RESIZED | {"coordinate_transformation_mode": "pytorch_half_pixel"}),
    case("Resize", IMAGE, None, SCALES, mode="nearest",
         coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
    case("Resize", FREE, None, np.array([1, 1, 3, 2], np.float32), mode="nearest"),
    case("Resize", IMAGE, None, None, whole(5, 12), axes=[2, 3], mode="linear",
         coordinate_transformation_mode="align_corners"),
    case("Upsample", IMAGE, SCALES, opset=9, without="reference: by whole factors only"),
    case("Upsample", FREE, scales=[1.0, 1.0, 2.0, 3.0], opset=7, without="reference: no attribute"),
    case("Resize", IMAGE, SCALES, opset=10, without="reference: takes them for a roi"),
    case("Softmax", ("N", 4, 5), opset=12, without="reference: along one axis"),
    case("LogSoftmax", ("N", 4, "L"), axis=-2, opset=11, without="reference: along one axis"),
    case("Clip", ("N", 6), min=-0.5, opset=10),
    case("Slice", ("N", 9, 8), starts=[1, -3], ends=[-1, 100], axes=[1, 2], opset=9),
    case("Pad", IMAGE, pads=[0, 0, 1, 2, 0, 0, 3, 0], value=0.5, opset=10),
    case("Resize", IMAGE, None, np.array([2, 2], np.float32), axes=[2, 3], mode="cubic", single=5e-5),
    *(case(name, ("N", 3, 4), whole(1, -1) if at == "input" else None, keepdims=keep, within=(0.5, 2),
           opset=18, **({"axes": [1, -1]} if at == "attribute" else {}))
      for name in REDUCED for keep in (0, 1) for at in ("input", "none")),
    case("ReduceSum", ("N", 3, 4), None, noop_with_empty_axes=1),
    case("ReduceMean", ("N", 3, 4), noop_with_empty_axes=1, opset=18),
    case("ReduceSum", ("N", 3, 4), whole(), noop_with_empty_axes=1),
    case("ReduceSum", ("N", 3, 4), whole(), without="runtime: takes no axes for all"),
    *(case(name, ("N", 3, 4), axes=[-2], keepdims=0, opset=13) for name in ("ReduceMean", "ReduceMax")),
    *(case(name, ("N", 3, 4), axis=-1, keepdims=keep) for name in ("ArgMax", "ArgMin") for keep in (0, 1)),
    case("CumSum", ("N", 5), np.array(1)),
    case("CumSum", ("N", 5), np.array(-1), reverse=1),
    *(case(name, ("N", 4), a(4)) for name in ("Add", "Sub", "Mul", "Div")),
    *(case(name, np.array([[1.5]]), ("N", 4)) for name in ("Add", "Sub", "Mul", "Div", "Less", "Greater")),
    *(case(name, ("N", 1), np.array(0.5)) for name in ("Add", "LessOrEqual", "GreaterOrEqual", "Equal")),
    case("Add", ("N",), np.array([[1.5]])),
    case("Div", ("N", 6), np.array(3), kind=np.int64, within=(-20, 20)),
    case("Mod", ("N", 6), np.array([3, -3, 2, 5, -4, 7]), kind=np.int64, within=(-20, 20)),
    case("Mod", ("N", 6), np.array(1.5), fmod=1),
    case("Pow", ("N", 4), np.array(3.0)),
    case("Pow", ("N", 4), whole(3)),
    case("Pow", ("N", 4), whole(3, 1, 2, 4)),
    case("Pow", ("N", 4), np.array([0.5, 1.0, 2.0, 3.0], np.float32), within=(0.1, 2)),
    case("Pow", np.array(2.0), ("N", 4)),
    case("Pow", ("N", 4), whole(2), kind=np.int64, within=(-9, 9)),
    case("Pow", ("N", 4), np.array([2.0]), kind=np.int64, within=(0, 9), without="reference: another type"),
    *(case(name, ("N", 4), a(4), a(1, 4)) for name in ("Sum", "Mean", "Max", "Min")),
    *(case(name, ("N", 4)) for name in ("Sum", "Mean", "Max", "Min")),
    *(case(name, ("N", 8)) for name in ("Neg", "Abs", "Exp", "Sin", "Cos", "Atan", "Sinh", "Cosh", "Asinh", "Sign")),
    case("Erf", ("N", 8), exact=1e-6),
    *(case(name, ("N", 8)) for name in ("Floor", "Ceil", "IsNaN", "Identity", "Dropout")),
    *(case(name, ("N", 8), within=(0.2, 3)) for name in ("Log", "Sqrt", "Reciprocal")),
    *(case(name, ("N", 8), within=(-0.9, 0.9)) for name in ("Tan", "Asin", "Acos", "Atanh")),
    case("Acosh", ("N", 8), within=(1.1, 3)),
    case("Round", ("N", 8), within=(-4, 4)),
    case("Not", ("N", 4), kind=bool, within=(0, 2)),
    *(case(name, ("N", 4), ("N", 4), kind=bool, within=(0, 2)) for name in ("And", "Or", "Xor")),
    case("Where", ("N", 4), a(4), np.array(0.5), kind=bool, within=(0, 2)),
    case("Where", np.array([True, False, False]), ("N", 3), np.array(-np.inf)),
    *(case("Cast", ("N", 4), to=to) for to in (onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64, onnx.TensorProto.BOOL)),
    case("CastLike", ("N", 4), whole(1)),
    case("Einsum", ("N", 3, 4), a(4, 5), equation="n i j, j k -> nik", without="reference: no blanks"),
    case("Einsum", ("N", 3, 4), ("N", 4, 3), equation="...ij,...ji->..."),
]  # fmt: skip


@pytest.mark.parametrize(("one", "oracle", "dtype"), runs(CASES))
def test_case(one, oracle, dtype):
    model = one.model(dtype)
    for lengths in ({"N": 1, "L": 6, "H": 9, "W": 7}, {"N": 3, "L": 8, "H": 6, "W": 10}):
        feed = one.feed(dtype, **lengths)
        tolerance = one.exact if oracle is by_reference else one.single
        assert_near(by_torch(model, feed), oracle(model, feed), tolerance)


def test_every_file_writes_ops():
    files = {info.name for info in pkgutil.iter_modules(to_torch.__path__)} - {"writer", "lengths", "names", "windows"}
    assert {write.__module__.rpartition(".")[2] for write in table().values()} == files


def test_every_writer_has_a_case():
    graphs = {"ConstantOfShape", "Range"}  # in test_written_lengths.py
    assert set(table()) == {one.op_type for one in CASES} | graphs


@pytest.mark.parametrize("example", op_contract.every_example(), ids=repr)
def test_the_examples_of_the_op_table(example):
    for oracle, dtype, name in ORACLES:
        if example.without.startswith(name):
            continue
        model, feed = example.model(dtype), example.feed(example.values(op_contract.rng_of(example)), 0, dtype)
        refusal = refusal_of(example)
        try:
            found = by_torch(model, feed)
        except ModelError as error:
            found = error.what
        if isinstance(found, str):
            assert refusal in found
        else:
            assert_near(found, oracle(model, feed), example.tolerance if oracle is by_reference else 2 * SINGLE)


def refusal_of(example):
    """What a refusal says of the node, if there is one."""
    if example.domain or example.op_type in NOT_WRITTEN:
        return f"written for: {f'{example.domain}.' * bool(example.domain)}{example.op_type}"
    return REFUSED.get(example.op_type, "no node of this op may be refused")
