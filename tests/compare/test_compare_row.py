"""A single wild answer is named, and not taken for a wrong order of columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sklearn.linear_model import LinearRegression

from unbend.compare import compare


def test_a_row_that_makes_most_of_the_loss_is_named() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    y = x @ [1.0, 2.0] + rng.normal(size=300)
    model = LinearRegression().fit(x, y)
    x[123] = 1e4
    found = compare(pa.table({"a": x[:, 0], "b": x[:, 1], "y": y}), "y", model)
    assert any("number 123" in note for note in found.notes)
    assert not any("far worse" in note for note in found.notes)
