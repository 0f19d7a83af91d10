"""Numbers as they are written: every digit of a text, a decimal or a long whole number arrives in two parts."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from unbend.data import Rows, open_table
from unbend.exact import Double

X = ["0.1", "-12345678901234567890.123456789", "1e-7", "3", " 2.50 ", "+4.000000000000000000001"]
ID = [2**53 + 1, -(2**62) - 3, 9, 2**63 - 1, 0, 5]
Y = ["0.3", "0.7", "1.1", "1.3", "2.9", "1000000000.1"]
EXACT = 2.0**-104


def csv(folder: Path, name: str = "t.csv") -> Path:
    lines = [f"{x},{i},{'ab'[n % 2]},{y}" for n, (x, i, y) in enumerate(zip(X, ID, Y, strict=True))]
    path = folder / name
    path.write_text("\n".join(["x,id,group,y", *lines]) + "\n")
    return path


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"x": [Decimal(x.strip()) for x in X], "id": ID, "group": ["a", "b"] * 3, "y": [Decimal(y) for y in Y]}
    )


def folder_of_csv(folder: Path) -> Path:
    lines = csv(folder).read_text().splitlines()
    (folder / "parts").mkdir()
    for i in range(3):
        (folder / "parts" / f"{i}.csv").write_text("\n".join([lines[0], *lines[1 + 2 * i : 3 + 2 * i]]) + "\n")
    return folder / "parts"


def parquet(folder: Path) -> Path:
    pq.write_table(pa.Table.from_pandas(frame()), folder / "t.parquet")
    return folder / "t.parquet"


def assert_every_digit(rows: Rows) -> None:
    assert rows.x_low is not None
    assert rows.y_low is not None
    x, y = Double(rows.x, rows.x_low).fractions(), Double(rows.y, rows.y_low).fractions()
    for i in range(6):
        for found, written in ((x[i, 0], X[i]), (x[i, 1], ID[i]), (y[i], Y[i])):
            exact = Fraction(Decimal(written))
            assert abs(found - exact) <= EXACT * abs(exact)


@pytest.mark.parametrize("build", [csv, folder_of_csv, parquet, lambda _: frame()])
def test_every_digit_arrives(build, tmp_path: Path) -> None:
    table = open_table(build(tmp_path), "y", decimals=True)
    assert table.names == ("x", "id", "group=b")
    assert "Numbers are read as they are written" in table.notes[-1]
    assert_every_digit(table.load())
    np.testing.assert_array_equal(table.load().x[:, 2], [0, 1] * 3)


def test_the_high_parts_are_the_nearest_float64(tmp_path: Path) -> None:
    exact, plain = (open_table(csv(tmp_path), "y", decimals=decimals).load() for decimals in (True, False))
    np.testing.assert_array_equal(exact.x, plain.x)
    np.testing.assert_array_equal(exact.y, plain.y)
    assert plain.x_low is None
    assert plain.y_low is None


def test_missing_values_and_order(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("day,x,y\n3,0.3,1.1\n10,NA,2\n10,0.7,1.3\n2,0.1,\n1,0.9,1.7\n")
    rows = open_table(tmp_path / "t.csv", "y", order="day", decimals=True).load()
    np.testing.assert_array_equal(rows.index, [4, 0, 2])
    assert rows.x_low is not None
    assert [Fraction(a) + Fraction(b) for a, b in zip(rows.x[:, 0], rows.x_low[:, 0], strict=True)] == pytest.approx(
        [Fraction(9, 10), Fraction(3, 10), Fraction(7, 10)], rel=1e-31
    )


def test_a_class_and_no_target(tmp_path: Path) -> None:
    rows = open_table(csv(tmp_path), "group", decimals=True).load()
    np.testing.assert_array_equal(rows.y, [0, 1] * 3)
    assert rows.y_low is not None
    assert not rows.y_low.any()
    assert open_table(csv(tmp_path), None, decimals=True).load().y_low is not None
