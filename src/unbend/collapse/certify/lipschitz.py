"""By how much bends can stretch a difference: Lipschitz constants of those that act on each element alone, or choose.

|f(x) - f(y)| ≤ L |x - y|. For the choosing ones the largest difference of the inputs is meant.
"""

from __future__ import annotations

LIPSCHITZ = {
    "Relu": 1.0,
    "Clip": 1.0,
    "Abs": 1.0,
    "Max": 1.0,
    "Min": 1.0,
    "MaxPool": 1.0,
    "GlobalMaxPool": 1.0,
    "ReduceMax": 1.0,
    "ReduceMin": 1.0,
    "Softplus": 1.0,
    "Softsign": 1.0,
    "Tanh": 1.0,
    "Sin": 1.0,
    "Cos": 1.0,
    "Atan": 1.0,
    "Sigmoid": 0.25,
    "HardSwish": 1.5,
    "Gelu": 1.13,
    "Erf": 1.13,
    "Mish": 1.09,
    "Softmax": 0.5,
    "LogSoftmax": 2.0,
}
"""Rounded up. Ops whose constant hangs on an attribute (LeakyRelu, Elu, …) or on their inputs are not here."""


def carries(op_type: str) -> float | None:
    """The Lipschitz constant of an op; None where none is known."""
    return LIPSCHITZ.get(op_type)
