"""The certificate: the evidence that a collapsed network computes the same as the original.

Each collapsed stretch is compared with its own nodes in float64 before anything is written; the whole network is then
run under onnxruntime beside the original, and both are held against the float64 truth. The inputs are random, at
several scales, with zeros and single large entries among them, as one row and as several at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from unbend.errors import ModelError
from unbend.network import Network, Runner, evaluate, input_shape, network_of
from unbend.network.local import Unsupported

PROBES = 24
"""Random inputs; enough to meet every output many times, few enough for a large network."""

MAX_PROBE_NUMBERS = 1 << 24
"""Fewer inputs are used where they would have more numbers than this together."""

ALLOWED = 8.0
"""The collapsed network may be this many times as far from the truth as the original …"""

FLOOR_ULPS = 64.0
"""… plus this many units in the last place of its type, relative to the output's scale. A wrong collapse is off by far
more: merged weights are rounded once, which moves an output by about one unit for each factor of two in width."""


@dataclass(frozen=True)
class Certificate:
    """Evidence for one collapse.

    `scale` is the largest absolute output on the inputs tried; `original_error` and `collapsed_error` are the largest
    absolute differences to the float64 evaluation of the original; `difference` is that between the two runs.
    `truth` says what the errors are measured against.
    """

    inputs: int
    rules: tuple[str, ...]
    scale: float
    original_error: float
    collapsed_error: float
    difference: float
    unit: float
    truth: str

    @property
    def holds(self) -> bool:
        """Whether the collapsed network is as close to the truth as rounding allows."""
        return bool(self.collapsed_error <= ALLOWED * self.original_error + FLOOR_ULPS * self.unit * self.scale)


def probes(network: Network, count: int = PROBES, seed: int = 0) -> np.ndarray:
    """Inputs that try the network: random at three scales, zeros, and single large entries."""
    shape = input_shape(network)
    size = int(np.prod(shape)) or 1
    count = int(np.clip(MAX_PROBE_NUMBERS // size, 4, count))
    rng = np.random.default_rng(seed)
    if network.input.dtype is not None and network.input.dtype.kind in "iu":
        return rng.integers(0, 2, size=(count, *shape)).astype(np.float64)
    x = rng.standard_normal((count, *shape)) * np.resize([1.0, 0.1, 10.0], count).reshape(-1, *(1,) * len(shape))
    x[0] = 0.0
    flat = x[1].reshape(-1)
    flat[:] = 0.0
    flat[rng.integers(size)] = 100.0
    return x


def certify(network: Network, collapsed: ir.Model, rules: tuple[str, ...]) -> Certificate:
    """Hold the collapsed model against the original.

    Raises
    ------
    ModelError
        onnxruntime cannot run one of them.
    """
    other = network_of(collapsed.clone(), network.name)
    x = probes(network)
    runners = Runner(network), Runner(other)
    before, after = _outputs(runners[0](x), network), _outputs(runners[1](x), other)
    if before.shape != after.shape:
        raise ModelError("the collapsed network gives outputs of another shape", where=f"{before.shape}, {after.shape}")
    together = [np.concatenate([a.reshape(-1) for a in runner.together(x[:3])] or [before[:0]]) for runner in runners]
    before, after = np.concatenate([before, together[0]]), np.concatenate([after, together[1]])
    truth, named = _truth(network, x, before, len(together[0]))
    return Certificate(
        inputs=len(x),
        rules=rules,
        scale=_largest(truth),
        original_error=_largest(before - truth),
        collapsed_error=_largest(after - truth),
        difference=_largest(after - before),
        unit=float(np.finfo(_float_type(network)).eps),
        truth=named,
    )


def _outputs(values: dict[str, np.ndarray], network: Network) -> np.ndarray:
    parts = [values[port.name].astype(np.float64).reshape(-1) for port in network.outputs]
    return np.concatenate(parts)


def _truth(network: Network, x: np.ndarray, run: np.ndarray, together: int) -> tuple[np.ndarray, str]:
    """The outputs in float64 through the op table; onnxruntime's own where an op is not in the table.

    The last `together` numbers are a run of several rows at once, for which the original's own run is the truth.
    """
    dtype = network.input.dtype or np.dtype(np.float32)
    try:
        truth = _outputs(evaluate(network, x.astype(dtype).astype(np.float64)), network)
        return np.concatenate([truth, run[len(run) - together :]]), "float64 evaluation"
    except Unsupported as reason:
        return run, f"onnxruntime's run of the original ({reason})"


def _float_type(network: Network) -> np.dtype:
    for port in network.outputs:
        if port.dtype is not None and port.dtype.kind == "f":
            return port.dtype
    return np.dtype(np.float32)


def _largest(array: np.ndarray) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max(initial=0.0))
