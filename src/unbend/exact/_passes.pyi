"""The compiled passes; see `_passes.c`."""

import numpy as np

KERNELS: list[str]

def use(name: str) -> str: ...
def gradient(
    x: np.ndarray,
    y: np.ndarray | None,
    negated_intercept: np.ndarray,
    negated_coef: np.ndarray,
    weights: np.ndarray | None,
    x_low: np.ndarray | None,
    y_low: np.ndarray | None,
    residuals: np.ndarray | None,
    sums: np.ndarray,
) -> None: ...
def products(
    x: np.ndarray,
    y: np.ndarray,
    shift: np.ndarray,
    weights: np.ndarray | None,
    products: np.ndarray,
) -> None: ...
def lengths(x: np.ndarray, mean: np.ndarray, root: np.ndarray, lengths: np.ndarray) -> None: ...
def odds(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    shift: np.ndarray,
    beta: np.ndarray,
    totals: np.ndarray,
    gradient: np.ndarray,
    hessian: np.ndarray | None,
) -> None: ...
