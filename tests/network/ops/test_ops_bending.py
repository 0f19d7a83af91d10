"""Examples for activations, pointwise functions and normalisations."""

import numpy as np
from op_contract import Example, promise

rng = np.random.default_rng(3)


MICROSOFT = "com.microsoft"
LRN = "reference: runs over rows in place of channels"
REDUCTIONS = ("ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp", "ReduceProd")


def a(*shape):
    return rng.normal(size=shape)


def positive(*shape):
    return rng.uniform(0.5, 2.0, size=shape)


test_activation = promise(
    region=[
        Example("Relu", (1, 8)),
        Example("LeakyRelu", (1, 8), alpha=0.2),
        Example("LeakyRelu", (1, 8)),
        Example("PRelu", (1, 3, 2, 2), a(3, 1, 1)),
        Example("PRelu", (1, 8), a(8)),
        Example("Clip", (1, 8), np.array(-0.5), np.array(1.0)),
        Example("Clip", (1, 8), np.array(-0.5)),
        Example("Clip", (1, 8), None, np.array(0.5)),
        Example("Abs", (1, 8)),
        Example("ThresholdedRelu", (1, 8), alpha=0.5),
        Example("HardSigmoid", (1, 8), alpha=0.4, beta=0.6),
        Example("HardSigmoid", (1, 8)),
        Example("Shrink", (1, 8), bias=0.3, lambd=0.7),
    ]
)
test_pointwise = promise(
    point=[
        *(Example(name, (1, 8)) for name in ("Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "Softsign")),
        *(Example(name, (1, 8), within=(0.2, 3)) for name in ("Log", "Sqrt", "Reciprocal")),
        *(Example(name, (1, 8)) for name in ("Sin", "Cos", "Atan", "Sinh", "Cosh", "Asinh")),
        *(Example(name, (1, 8), within=(-0.9, 0.9)) for name in ("Tan", "Asin", "Acos", "Atanh")),
        Example("Acosh", (1, 8), within=(1.2, 3)),
        Example("Pow", (1, 8), np.array(2.0)),
        Example("Pow", (1, 4), a(3, 4), within=(0.2, 3)),
        Example("Pow", np.array(2.0), (1, 4)),
        Example("Pow", (1, 4), (1, 1), within=(0.2, 3)),
    ]
)
test_gated = promise(
    point=[
        Example("Gelu", (1, 8)),
        Example("Gelu", (1, 8), approximate="tanh"),
        Example("Swish", (1, 8), opset=24, without="runtime: not implemented", alpha=1.5),
        Example("Mish", (1, 8)),
        Example("HardSwish", (1, 8), within=(-5, 5)),
        Example("Gelu", (1, 8), domain=MICROSOFT, without="reference: not ONNX's own"),
        Example("FastGelu", (1, 8), domain=MICROSOFT, without="reference: not ONNX's own"),
        Example("FastGelu", (1, 8), a(8), domain=MICROSOFT, without="reference: not ONNX's own"),
        Example("BiasGelu", (1, 8), a(8), domain=MICROSOFT, without="reference: not ONNX's own"),
        Example("QuickGelu", (1, 8), domain=MICROSOFT, without="reference: not ONNX's own", alpha=1.2),
    ]
)
test_exponential_units = promise(
    point=[
        Example("Elu", (1, 8), alpha=0.7),
        Example("Elu", (1, 8)),
        Example("Selu", (1, 8)),
        Example("Celu", (1, 8), alpha=0.7),
    ]
)
test_reduction = promise(
    region=[Example("ReduceL1", (1, 3, 4), np.array([1]))],
    point=[
        *(Example(name, (1, 3, 4), np.array([1]), within=(0.2, 3)) for name in REDUCTIONS),
        *(Example(name, (1, 3, 4), np.array([0, 2]), keepdims=0, within=(0.2, 3)) for name in REDUCTIONS),
        Example("ReduceL2", (1, 3, 4), opset=13, axes=[-1]),
    ],
)
test_softmax = promise(
    point=[
        Example("Softmax", (1, 5)),
        Example("Softmax", (1, 3, 4), axis=1),
        Example("LogSoftmax", (1, 5)),
        Example("LogSoftmax", (1, 3, 4), axis=1),
    ]
)
test_normalization = promise(
    everywhere=[
        Example("BatchNormalization", (1, 4), a(4), a(4), a(4), positive(4)),
        Example("BatchNormalization", (1, 3, 2, 2), a(3), a(3), a(3), positive(3), epsilon=1e-2),
    ],
    point=[
        Example("LayerNormalization", (1, 6), a(6), a(6)),
        Example("LayerNormalization", (1, 3, 4), a(3, 4), axis=1, epsilon=1e-2),
        Example("LayerNormalization", (1, 3, 4), a(4), outputs=3),
        Example("RMSNormalization", (1, 3, 4), a(4), opset=23),
        Example("GroupNormalization", (1, 4, 2, 2), a(4), a(4), num_groups=2),
        Example("GroupNormalization", (1, 4, 3), a(2), a(2), opset=18, num_groups=2),
        Example("LpNormalization", (1, 3, 4), axis=1, p=2),
        Example("LpNormalization", (1, 3, 4), without="reference: sums without the absolute value", p=1),
        Example("LRN", (1, 6, 2, 2), without=LRN, size=3, alpha=0.3, beta=0.7, bias=1.5),
        Example("InstanceNormalization", (1, 3, 2, 4), a(3), a(3)),
    ],
)
