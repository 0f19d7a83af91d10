"""Examples for activations, pointwise functions and normalisations."""

import numpy as np
from op_contract import Example, promise

rng = np.random.default_rng(3)


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
        Example("Clip", (1, 8)),
        Example("Abs", (1, 8)),
        Example("ThresholdedRelu", (1, 8), alpha=0.5),
        Example("HardSigmoid", (1, 8), alpha=0.4, beta=0.6),
        Example("HardSigmoid", (1, 8)),
        Example("Shrink", (1, 8), bias=0.3, lambd=0.7),
    ]
)
test_smooth = promise(
    point=[
        Example("Sigmoid", (1, 8)),
        Example("Tanh", (1, 8)),
        Example("Erf", (1, 8)),
        Example("Exp", (1, 8)),
        Example("Log", (1, 8), within=(0.2, 3)),
        Example("Sqrt", (1, 8), within=(0.2, 3)),
        Example("Reciprocal", (1, 8), within=(0.2, 3)),
        Example("Sin", (1, 8)),
        Example("Cos", (1, 8)),
        Example("Gelu", (1, 8)),
        Example("Gelu", (1, 8), approximate="tanh"),
        Example("Swish", (1, 8), opset=24, without="runtime: not implemented", alpha=1.5),
    ]
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
        Example("RMSNormalization", (1, 3, 4), a(4), opset=23, without="runtime: newer than this build needs"),
        Example("InstanceNormalization", (1, 3, 2, 4), a(3), a(3)),
    ],
)
