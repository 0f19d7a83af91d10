"""THE CASE TABLE of the demo: three real data sets that come with a base dependency, one for each answer.

A case is a function that returns its columns; `@case` says what the case is about. All three are regressions with
complete rows, numeric columns and names that a reader understands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unbend.errors import InputError, UsageError


@dataclass(frozen=True)
class Settings:
    """The small ReLU network of a case, and how it is trained (scikit-learn's `MLPRegressor`)."""

    hidden: tuple[int, ...]
    penalty: float
    batch: int
    rounds: int


@dataclass(frozen=True)
class Case:
    """A data set for the demo.

    `question` is what it asks and `shows` the answer that it is there for; `origin` says where the data are from;
    `columns()` gives every column, the target last.
    """

    name: str
    question: str
    shows: str
    target: str
    origin: str
    network: Settings
    columns: Callable[[], Mapping[str, np.ndarray]]


CASES: dict[str, Case] = {}


def case(question: str, *, shows: str, target: str, origin: str, network: Settings) -> Callable:
    """Register a function that returns columns as the case of its own name."""

    def register(columns: Callable[[], Mapping[str, np.ndarray]]) -> Callable[[], Mapping[str, np.ndarray]]:
        name = columns.__name__
        CASES[name] = Case(name, question, shows, target, origin, network, columns)
        return columns

    return register


def find(name: str | None) -> Case:
    """The case of that name; the first one if there is no name."""
    if name is None:
        return next(iter(CASES.values()))
    if name not in CASES:
        raise UsageError(
            f'there is no demo case "{name}"',
            where="the cases are " + ", ".join(CASES),
            try_="\n".join(f"unbend demo {known}" for known in CASES),
        )
    return CASES[name]


@case(
    "How far has a patient's diabetes progressed after a year?",
    shows="a linear regression is enough",
    target="progression",
    origin="scikit-learn's diabetes data: 442 patients (Efron, Hastie, Johnstone and Tibshirani 2004)",
    network=Settings(hidden=(32, 16), penalty=1.0, batch=32, rounds=300),
)
def diabetes() -> Mapping[str, np.ndarray]:
    """Ten measurements in their own units, and the progression of the disease a year later."""
    from sklearn.datasets import load_diabetes

    names = ["age", "sex", "bmi", "blood_pressure", "cholesterol", "ldl", "hdl", "cholesterol_per_hdl"]
    names += ["log_triglycerides", "glucose"]
    data: Any = load_diabetes(scaled=False)
    return dict(zip(names, data["data"].T, strict=True)) | {"progression": data["target"]}


@case(
    "How large is the area of cell nuclei of a given radius and shape?",
    shows="a quadratic is enough: an area goes with the square of a length",
    target="area",
    origin="scikit-learn's breast cancer data: 569 samples (Wolberg, Street and Mangasarian 1995)",
    network=Settings(hidden=(32, 32), penalty=1e-4, batch=32, rounds=300),
)
def nuclei() -> Mapping[str, np.ndarray]:
    """Mean radius, smoothness, symmetry and area of the nuclei in a sample.

    The data's perimeter and compactness are left out: compactness is computed from the area.
    """
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    by_name = dict(zip(data["feature_names"].tolist(), data["data"].T, strict=True))
    return {name: by_name[f"mean {name}"] for name in ("radius", "smoothness", "symmetry", "area")}


POINTS = 4000
"""Of the 138 632 heights in the terrain: enough to see the valleys, few enough to train in seconds."""

KM_PER_DEGREE = 111.32
"""Length of a degree along the equator."""


@case(
    "How high is the ground at a place?",
    shows="hills and valleys need the bends",
    target="height_m",
    origin=f"matplotlib's Jacksboro fault elevation model (USGS), Tennessee: {POINTS} of its points",
    network=Settings(hidden=(64, 64, 64), penalty=1e-4, batch=200, rounds=300),
)
def terrain() -> Mapping[str, np.ndarray]:
    """Kilometres to the east and to the north of the map's south-west corner, and the height in metres."""
    grid = _elevation_grid()
    height = grid["elevation"].astype(np.float64)
    rows, columns = height.shape
    chosen = np.sort(np.random.default_rng(0).choice(height.size, POINTS, replace=False))
    row, column = np.divmod(chosen, columns)
    middle = np.deg2rad((grid["ymin"] + grid["ymax"]) / 2)
    east = column * grid["dx"] * KM_PER_DEGREE * np.cos(middle)
    north = (rows - 1 - row) * grid["dy"] * KM_PER_DEGREE
    return {"east_km": east.round(3), "north_km": north.round(3), "height_m": height.ravel()[chosen]}


def _elevation_grid() -> Mapping[str, np.ndarray]:
    import matplotlib

    path = Path(matplotlib.get_data_path(), "sample_data", "jacksboro_fault_dem.npz")
    if not path.exists():
        raise InputError(
            "this installation of matplotlib comes without its sample data",
            where=str(path),
            try_="pip install --force-reinstall matplotlib\nor run another case: unbend demo diabetes",
        )
    with np.load(path) as grid:
        return dict(grid)
