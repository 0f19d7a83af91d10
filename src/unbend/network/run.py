"""Run a network under onnxruntime, in batches, with any inner value captured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx_ir as ir
import onnxruntime as ort

from unbend.errors import ModelError, SelfCheckError
from unbend.network.evaluate import input_shape, input_shapes
from unbend.network.examples import drawn, whole_numbers
from unbend.network.external import MAX_BYTES as MAX_MODEL
from unbend.network.external import bytes_of
from unbend.network.graph import Network, is_float
from unbend.network.paged import give_back

MAX_BYTES = 1 << 26
"""Values of one batch take about this much memory (64 MiB)."""

MAX_BATCH = 4096

BESIDE = "session.optimized_model_external_initializers"
"""How onnxruntime's options begin that say where the numbers of an optimised model are written."""

LARGE = 1 << 22
"""A model of at least so many bytes is handed to onnxruntime as a file (4 MiB)."""

ROW_TOLERANCE = 1e-3
"""A run of several rows may differ from runs of one row by rounding: by no more than this, relative to the scale."""


class Runner:
    """An onnxruntime session for a network; inner values named in `capture` become outputs beside the network's own.

    Parameters
    ----------
    network : Network
    capture : names of inner values to give as well
    threads : threads of onnxruntime; 0 lets it choose

    Raises
    ------
    ModelError
        onnxruntime cannot run the network.
    """

    def __init__(self, network: Network, capture: Iterable[str] = (), *, threads: int = 0) -> None:
        self.network = network
        own = [port.name for port in network.outputs]
        self.names = [*own, *(name for name in dict.fromkeys(capture) if name not in own)]
        self._session = opened(network.model, network.name, threads, self.names[len(own) :])
        self._dtype = network.input.dtype or np.dtype(np.float32)

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Every named value for the rows `x`, each (rows, *shape for one row)."""
        parts = list(self.blocks(x))
        return {name: np.concatenate([part[name] for part in parts]) for name in self.names}

    def blocks(self, x: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """The same in batches that fit into memory, in order."""
        if self.network.batch not in (None, 1):
            x = x.reshape(-1, *input_shape(self.network)[1:])
        size = self.batch_size
        for start in range(0, len(x), size):
            yield self._run(x[start : start + size])

    @property
    def batch_size(self) -> int:
        """How many rows are run at once."""
        if self.network.batch is not None:
            return self.network.batch if self._takes_rows else 1
        if self._together != "same":
            return 1
        numbers = sum(int(np.prod(shape)) for shape in self.network.shapes.values()) or 1
        return int(np.clip(MAX_BYTES // (4 * numbers), 1, MAX_BATCH))

    @property
    def _takes_rows(self) -> bool:
        """Whether the first axis of the input counts rows (a vector input has none)."""
        return self.network.input.shape is not None and len(self.network.input.shape) > 1

    @cached_property
    def mixes_rows(self) -> bool:
        """Whether three rows at once give something else than each gives alone; then rows are run one by one.

        A network that takes a fixed number of rows, or cannot run several at once, is not asked.
        """
        return self.network.batch is None and self._together == "different"

    @cached_property
    def _together(self) -> Literal["same", "different", "fails"]:
        """What three rows at once give, beside what each gives alone."""
        probe = np.random.default_rng(0).standard_normal((3, *input_shape(self.network)))
        return self._compared(probe if is_float(self._dtype) else (probe > 0).astype(self._dtype))

    def _compared(self, probe: np.ndarray) -> Literal["same", "different", "fails"]:
        alone = [self._run(probe[[row]]) for row in range(len(probe))]
        try:
            together = self._run(probe)
        except ModelError:
            return "fails"
        except SelfCheckError:
            return "different"
        apart = {name: np.concatenate([part[name] for part in alone]) for name in self.names}
        return "same" if all(_agree(apart[name], together[name]) for name in self.names) else "different"

    def _run(self, x: np.ndarray) -> dict[str, np.ndarray]:
        rows = len(x)
        fed = self._feed(x)
        try:
            outputs = self._session.run(self.names, {self.network.input.name: fed})
        except Exception as error:
            raise ModelError(
                f"onnxruntime cannot run {self.network.name} on {rows} rows",
                where=str(error).strip().splitlines()[-1][:300],
                try_="check that the rows have the shape that the network takes: " + str(self.network.input),
            ) from error
        return {
            name: self._per_row(name, np.asarray(array), rows) for name, array in zip(self.names, outputs, strict=True)
        }

    def _feed(self, x: np.ndarray) -> np.ndarray:
        """The rows in the network's own shape and type; a fixed batch that is not full repeats its last row."""
        shape = input_shape(self.network)
        batch = self.network.batch
        if not self._takes_rows:
            return np.ascontiguousarray(x.reshape(shape), dtype=self._dtype)
        if batch is not None and len(x) < batch:
            x = np.concatenate([x, np.repeat(x[-1:], batch - len(x), axis=0)])
        return np.ascontiguousarray(x.reshape(len(x), *shape[1:]), dtype=self._dtype)

    def _per_row(self, name: str, array: np.ndarray, rows: int) -> np.ndarray:
        """A captured value with one entry for each row in front."""
        shape = self.network.shapes.get(name)
        if self.network.batch not in (None, 1):
            return array.reshape(self.network.batch or 1, -1)[:rows]
        if shape is None:
            return array.reshape(rows, -1) if array.size % rows == 0 else array[None]
        if array.size != rows * int(np.prod(shape)):
            raise SelfCheckError(
                f"{name} has {array.size} numbers for {rows} rows, not {int(np.prod(shape))} for each",
                where=f"in {self.network.name}",
                try_="export the network with a free batch axis",
            )
        return array.reshape(rows, *shape)


def mixes_rows(network: Network) -> bool:
    """Whether the network's answer for a row depends on the other rows of its batch.

    Found by running three rows at once and each alone; False for a network that cannot be run, or that draws random
    numbers.
    """
    if any(node.random for node in network.nodes):
        return False
    try:
        return Runner(network, threads=1).mixes_rows if len(network.inputs) == 1 else _several_mix(network)
    except ModelError:
        return False


def _several_mix(network: Network) -> bool:
    """The same for a network of several inputs; False for one that takes a fixed number of rows."""
    if network.batch is not None:
        return False
    rng, axes, types = np.random.default_rng(0), network.axes.rows, whole_numbers(network)
    rows: dict[str, np.ndarray] = {}
    for port in network.inputs:
        normal = rng.standard_normal((3, *input_shapes(network)[port.name]))
        dtype = port.dtype or np.dtype(np.float32)
        rows[port.name] = drawn(types[port.name], dtype, normal) if port.name in types else normal.astype(dtype)
    shared = {name: array[0] for name, array in rows.items() if name not in axes}
    runs = opened(network.model, network.name, 1)
    try:
        alone = [runs.run(None, shared | {name: rows[name][i] for name in axes}) for i in range(3)]
        whole = runs.run(None, shared | {name: np.concatenate(list(rows[name]), axis=axes[name]) for name in axes})
    except Exception:  # a network that cannot take several rows does not mix them
        return False
    return not all(_side_by_side(np.asarray(one), each) for one, *each in zip(whole, *alone, strict=True))


def _side_by_side(whole: np.ndarray, alone: Sequence[Any]) -> bool:
    """Whether an output of several rows is those of each row beside each other along one axis, up to rounding."""
    scale = ROW_TOLERANCE * np.max(np.abs(whole), initial=1e-30)
    joined = (np.concatenate(alone, axis=axis) for axis in range(whole.ndim))
    return any(one.shape == whole.shape and np.allclose(one, whole, rtol=0, atol=scale) for one in joined)


def serialise(model: ir.Model, extra_outputs: Sequence[str] = ()) -> bytes | str:
    """The model as bytes for onnxruntime, with more of its values as outputs.

    Raises
    ------
    ModelError
        It does not fit into one file.
    """
    if (size := bytes_of(model)) > MAX_MODEL:
        raise ModelError(
            f"{model.graph.name or 'the network'} has {size / 1e9:.1f} GB of numbers, too many to be run whole",
            where=f"a model of up to {MAX_MODEL / 1e9:.1f} GB can be run in one piece",
        )
    if extra_outputs:
        model = model.clone()
        values = {value.name: value for node in model.graph for value in node.outputs}
        model.graph.outputs.extend(values[name] for name in extra_outputs)
    return ir.to_proto(model).SerializeToString()


def opened(
    model: ir.Model, name: str, threads: int = 0, extra_outputs: Sequence[str] = (), *, lean: bool = False
) -> ort.InferenceSession:
    """A session for the model; the numbers of a large one go through a file, so that fewer copies of them are made.

    A `lean` session leaves the numbers in the layout that they have: it is slower, and keeps no other copy.
    """
    if LARGE <= bytes_of(model) <= MAX_MODEL and not extra_outputs:
        with suppress(OSError), _written(model) as path:  # where there is no room for the file it goes through memory
            return session(str(path), name, threads, lean=lean)
    return session(serialise(model, extra_outputs), name, threads, lean=lean)


def opened_together(models: Sequence[ir.Model], name: str) -> list[ort.InferenceSession]:
    """Sessions for models that are held at the same time, each on one thread.

    To optimise a network takes room for its numbers twice, so large ones are optimised one after the other, into files.
    """
    with ExitStack() as files:
        optimised = [_optimised(model, name, files) for model in models]
        pairs = zip(models, optimised, strict=True)
        return [opened(model, name, 1) if path is None else session(path, name, 1, done=True) for model, path in pairs]


def _optimised(model: ir.Model, name: str, files: ExitStack) -> str | None:
    """The file of the model as onnxruntime runs it; None where it is small, or there is no room for the file."""
    if not LARGE <= bytes_of(model) <= MAX_MODEL:
        return None
    try:
        path = files.enter_context(_written(model))
        target = str(path.with_name("optimised.onnx"))
        session(str(path), name, 1, into=target)
    except OSError:
        return None
    give_back()
    return target


@contextmanager
def _written(model: ir.Model) -> Iterator[Path]:
    """A file of the model, its numbers beside it, in a folder that is there for as long as the context."""
    with tempfile.TemporaryDirectory(prefix="unbend-") as folder:
        path = Path(folder, "model.onnx")
        ir.save(model, path, external_data="model.data", size_threshold_bytes=1024)
        give_back()
        yield path


def session(
    model: bytes | str, name: str, threads: int = 0, *, lean: bool = False, into: str = "", done: bool = False
) -> ort.InferenceSession:
    """An onnxruntime session on the processor; ModelError with onnxruntime's reason where it cannot be made.

    What it optimises is written to the file `into`; a model of such a file is `done`.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    if lean:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    if done:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if into:
        options.optimized_model_filepath = into
        options.add_session_config_entry(f"{BESIDE}_file_name", Path(into).name + ".data")
        options.add_session_config_entry(f"{BESIDE}_min_size_in_bytes", "1024")
    try:
        made = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"onnxruntime cannot run {name}",
            where=str(error).strip().splitlines()[-1][:300],
            try_="check the model with onnx.checker; a custom op needs its library, which unbend does not load",
        ) from error
    vars(made)["_model_bytes"] = None  # the whole file, which it keeps in case it is to be made anew
    return made


def _agree(apart: np.ndarray, together: np.ndarray) -> bool:
    """Whether two runs give the same: text as it is, numbers up to rounding."""
    if apart.shape != together.shape:
        return False
    if apart.dtype.kind in "OSU":
        return bool(np.all(apart == together))
    scale = np.max(np.abs(apart[np.isfinite(apart)]), initial=1e-30)
    return np.allclose(apart, together, rtol=0, atol=ROW_TOLERANCE * scale, equal_nan=True)
