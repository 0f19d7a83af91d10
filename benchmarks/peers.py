"""What others make of an ONNX network: each function takes the file and returns the network it writes."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx

Peer = Callable[[Path], onnx.ModelProto]


def onnxsim(path: Path) -> onnx.ModelProto:
    """onnxsim's simplified network."""
    import onnxsim as package

    with contextlib.redirect_stdout(io.StringIO()):
        return package.simplify(onnx.load(path))[0]


def onnxslim(path: Path) -> onnx.ModelProto:
    """OnnxSlim's slimmed network."""
    import onnxslim as package

    with contextlib.redirect_stdout(io.StringIO()):
        return package.slim(onnx.load(path))


def onnxruntime(path: Path) -> onnx.ModelProto:
    """The network as onnxruntime writes it down after all of its optimisations."""
    import onnxruntime as package

    with tempfile.TemporaryDirectory(prefix="unbend-benchmark-") as folder:
        options = package.SessionOptions()
        options.graph_optimization_level = package.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.optimized_model_filepath = str(Path(folder, "optimised.onnx"))
        options.log_severity_level = 3
        package.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


PEERS: dict[str, Peer] = {"onnxsim": onnxsim, "OnnxSlim": onnxslim, "onnxruntime": onnxruntime}
