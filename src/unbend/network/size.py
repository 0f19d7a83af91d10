"""Sizes are checked before memory is taken: a file of a few bytes can name a tensor of terabytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from unbend.errors import ModelError

MAX_NUMBERS = 1 << 29
"""A value of one row, or a computed constant, has at most this many numbers (4 GiB in float64); whatever is stored in a
file that can be run at all is smaller."""

MAX_INDEX = 1 << 27
"""A map that moves numbers keeps an index of 8 bytes for each: no map is made for a node with more (1 GiB)."""


def check_size(shape: Sequence[int | float], what: str, network: str) -> None:
    """Refuse a tensor of more than `MAX_NUMBERS` numbers.

    Raises
    ------
    ModelError
        It has more.
    """
    if (size := math.prod(shape)) > MAX_NUMBERS:
        raise ModelError(
            f"{network} is too large for unbend: {what} has {size:.3g} numbers for one row",
            where=f"the most that is read is {MAX_NUMBERS:.3g} numbers; {what} has the shape {_text(shape)}",
            try_="check the sizes in the file, or export the network for smaller inputs",
        )


def _text(shape: Sequence[int | float]) -> str:
    return f"({', '.join(f'{axis:.15g}' for axis in shape)})"


@contextmanager
def within_memory(network: str) -> Iterator[None]:
    """Say in unbend's own words that there was not enough memory."""
    try:
        yield
    except MemoryError as error:
        raise ModelError(
            f"there is not enough memory for {network}",
            where=(str(error).strip() or "MemoryError").splitlines()[0][:200],
            try_="use fewer rows at once, a smaller network, or a machine with more memory",
        ) from error
