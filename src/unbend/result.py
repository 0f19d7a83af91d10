"""What every verb returns: a frozen dataclass that can show itself as text, as HTML and as plain JSON types.

A result says what there is to read in `document()`, once, as a list of blocks (`unbend.document`); the terminal and
the page are two renderings of those same blocks, so they cannot disagree. `to_dict()` is the machine's view of the
same fields.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unbend.document import Block, render_html, render_text


def plain(value: Any) -> Any:
    """`value` in JSON's types: arrays become lists, dataclasses dicts, non-finite numbers None.

    A dataclass field whose metadata has `{"json": False}` is left out.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (f for f in dataclasses.fields(value) if f.metadata.get("json", True))
        return {f.name: plain(getattr(value, f.name)) for f in fields}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, int, bool)):
        return value
    raise TypeError(f"no plain form for {type(value).__name__}")


class Result(ABC):
    """Base of every verb's result; subclasses are frozen dataclasses that say what to read in `document`."""

    verb = ""

    @abstractmethod
    def document(self) -> list[Block]:
        """The blocks to read, in order."""

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON types, with the verb that made them."""
        return {"verb": self.verb} | plain(self)

    def __str__(self) -> str:
        return render_text(self.document())

    def _repr_html_(self) -> str:
        return render_html(self.document())
