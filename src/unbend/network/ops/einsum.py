"""Einsum with one variable tensor: a product along some of its axes."""

from __future__ import annotations

import math

import numpy as np

from unbend.affine import LinearMap, Selection, Shape, compose, total
from unbend.network.graph import Node
from unbend.network.local import Local, Operand, Unsupported
from unbend.network.ops import needed, only_one, op
from unbend.network.ops.matrix import reshaped, times_right


@op("Einsum", reach="point", affine_when=only_one)
def einsum(node: Node, *operands: Operand) -> Local:
    """y_o = Σ x_i Π c_j with letters for the axes: affine while one tensor is variable.

    Checked against: onnx.reference and onnxruntime, opset 12.
    """
    variable = [position for position, operand in enumerate(operands) if operand.variable]
    if len(variable) != 1:
        raise Unsupported("Einsum of several variable tensors")
    terms, out = _letters(node.attribute("equation"), operands)
    position = variable[0]
    own = terms.pop(position)
    constants = [needed(one, "a tensor of Einsum") for i, one in enumerate(operands) if i != position]
    weight, letters = _joined(constants, terms, own + out)
    return Local.affine({position: _product(operands[position].shape, own, weight, letters, out)})


def _letters(equation: str, operands: tuple[Operand, ...]) -> tuple[list[str], str]:
    """The letters of every term and of the result, "..." and a result left out written in full."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in equation]
    counts = [len(x.shape) - len(t.replace("...", "")) for t, x in zip(terms, operands, strict=True) if "..." in t]
    dots = "".join(free[: max(counts, default=0)])
    full = [
        t.replace("...", dots[len(dots) - (len(x.shape) - len(t.replace("...", ""))) :] if "..." in t else "")
        for t, x in zip(terms, operands, strict=True)
    ]
    if not arrow:
        once = "".join(sorted(c for c in set("".join(full)) - set(dots) if "".join(full).count(c) == 1))
        return full, dots + once
    return full, out.replace("...", dots)


def _joined(constants: list[np.ndarray], terms: list[str], kept: str) -> tuple[np.ndarray, str]:
    """All constants as one tensor with the letters that the rest needs."""
    letters = "".join(dict.fromkeys(c for term in terms for c in term if c in kept))
    if not constants:
        return np.ones(()), ""
    return np.einsum(f"{','.join(terms)}->{letters}", *constants), letters


def _product(shape: Shape, own: str, weight: np.ndarray, letters: str, out: str) -> LinearMap:
    """x ↦ Σ x_own weight_letters, as products of matrices: (shared, kept, summed) by (shared, summed, new)."""
    if len(set(own)) < len(own):
        raise Unsupported("Einsum reads a diagonal of the variable tensor")
    lengths = dict(zip(own, shape, strict=True)) | dict(zip(letters, weight.shape, strict=True))
    if any(lengths[c] != size for c, size in zip(own, shape, strict=True)):
        raise Unsupported("Einsum repeats the variable tensor along an axis of length 1")
    alone = [axis for axis, c in enumerate(own) if c not in letters + out]
    sums = total(shape, alone)
    shared = [c for c in own if c in letters and c in out]
    kept = [c for c in own if c in out and c not in letters]
    summed = [c for c in own if c in letters and c not in out]
    new = [c for c in letters if c not in own]

    def size(group: list[str]) -> int:
        return math.prod(lengths[c] for c in group)

    dropped = [c for axis, c in enumerate(own) if axis in alone]
    order = tuple(own.index(c) for c in (*shared, *kept, *summed, *dropped))
    turned = compose(Selection.transposed(sums.out_shape, order), sums)
    matrix = (*(lengths[c] for c in shared), size(kept), size(summed))
    factor = weight.transpose([letters.index(c) for c in (*shared, *summed, *new)])
    factor = factor.reshape(1, *matrix[:-2], size(summed), size(new))
    product = times_right(matrix, factor)
    product = compose(product, compose(reshaped(turned.out_shape, matrix), turned))
    labels = [*shared, *kept, *new]
    apart = compose(reshaped(product.out_shape, tuple(lengths[c] for c in labels)), product)
    return compose(Selection.transposed(apart.out_shape, tuple(labels.index(c) for c in out)), apart)
