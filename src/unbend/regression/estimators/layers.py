"""The linear layers of a network that was trained elsewhere, as arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np

from unbend.errors import ModelError

SMALL = 1e-5
"""Singular values of a product below this share of the largest are its layers' rounding (float32 has 1.2e-7)."""


@dataclass(frozen=True, eq=False)
class LinearLayers:
    """Layers y = W x + b, the first one first; each W is (out, in), each b (out,)."""

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @cached_property
    def coef(self) -> np.ndarray:
        """W_n … W_1; (q, p)."""
        return reduce(lambda product, weight: weight @ product, self.weights)

    @cached_property
    def intercept(self) -> np.ndarray:
        """W_n (… (W_2 b_1 + b_2) …) + b_n; (q,)."""
        start = np.zeros(self.weights[0].shape[1])
        return reduce(lambda b, layer: layer[0] @ b + layer[1], zip(self.weights, self.biases, strict=True), start)

    @property
    def waist(self) -> int:
        """Units of the narrowest layer; for one matrix, its rank, as the layers that it is the product of are gone."""
        if len(self.weights) > 1:
            return min(weight.shape[0] for weight in self.weights[:-1])
        values = np.linalg.svd(self.coef, compute_uv=False)
        return max(1, int(np.count_nonzero(values > SMALL * values.max(initial=0.0))))


def linear_layers(network: Any) -> LinearLayers:
    """The layers of a linear network.

    Parameters
    ----------
    network : matrices W (out, in) or pairs (W, b), the first layer first; a torch module of Linear layers; a
        scikit-learn MLP with the activation "identity"; or what `unbend.explain` gives for any network without a bend

    Raises
    ------
    ModelError
        If it is none of these, has a bend, or has layers that do not fit together.
    """
    pairs = [(_matrix(w), np.zeros(_matrix(w).shape[0]) if b is None else _array(b)) for w, b in _pairs(network)]
    if not pairs:
        raise ModelError("the network has no layer", try_="give at least one matrix")
    for (before, _), (after, _) in itertools.pairwise(pairs):
        if after.shape[1] != before.shape[0]:
            raise ModelError(
                "the layers do not fit together",
                where=f"a layer gives {before.shape[0]} numbers and the next takes {after.shape[1]}",
                try_="give them in order, the first one first, each as (out, in)",
            )
    for w, b in pairs:
        if b.shape != (w.shape[0],):
            raise ModelError(f"a bias has the shape {b.shape}; its matrix {w.shape} needs ({w.shape[0]},)")
    return LinearLayers(tuple(w for w, _ in pairs), tuple(b for _, b in pairs))


def _pairs(network: Any) -> list[tuple[Any, Any]]:
    if hasattr(network, "coefs_"):
        return _of_scikit_learn(network)
    if hasattr(network, "named_modules"):
        return list(_of_torch(network))
    if hasattr(network, "derivations") or hasattr(network, "parts"):
        return [_of_explanation(network)]
    if isinstance(network, Sequence) and not isinstance(network, str):
        return [
            tuple(layer) if isinstance(layer, (tuple, list)) and len(layer) == 2 else (layer, None) for layer in network
        ]
    raise ModelError(
        f"cannot take linear layers from {type(network).__name__}",
        try_="give a list of (W, b), a torch module of Linear layers, or unbend.explain(network)",
    )


def _of_scikit_learn(network: Any) -> list[tuple[Any, Any]]:
    if network.activation != "identity":
        raise ModelError(f"the network has bends: its activation is {network.activation}")
    return [(np.asarray(w).T, b) for w, b in zip(network.coefs_, network.intercepts_, strict=True)]


def _of_torch(network: Any) -> Iterator[tuple[Any, Any]]:
    """Its Linear modules, in the order in which it lists them."""
    for name, module in network.named_modules():
        kind = type(module).__name__
        if kind == "Linear":
            bias = None if module.bias is None else module.bias.detach().cpu().double().numpy()
            yield module.weight.detach().cpu().double().numpy(), bias
        elif kind not in ("Sequential", "Identity", "Flatten", "Dropout") or (not name and kind != "Sequential"):
            raise ModelError(
                "the layers of this module cannot be taken one by one",
                where=f"{name or 'it'} is {kind}",
                try_="give what unbend.explain(module, example) gives for it",
            )


def _of_explanation(network: Any) -> tuple[Any, Any]:
    if network.weight is None:
        raise ModelError("the network is not one affine map of its input, or is too large to write as one matrix")
    return network.weight, network.bias


def _matrix(values: Any) -> np.ndarray:
    array = _array(values)
    if array.ndim != 2:
        raise ModelError(f"a layer's matrix has the shape {array.shape}; it must be (out, in)")
    return array


def _array(values: Any) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ModelError("a layer holds a number that is not finite")
    return array
