"""What every entry of the op table promises, checked on example nodes.

A test file lists its examples by how far they hold; `promise` makes one test for each check and example.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from unbend.network.graph import Node
from unbend.network.local import Local, Operand
from unbend.network.ops import local, reach_of
from unbend.network.read import nodes_of

EXACT = 1e-12
"""Relative difference between two ways to compute the same in float64."""

SINGLE = 2e-5
"""Relative difference to a computation in float32."""

STEP = 1e-5
"""Central differences with this step are right to about 1e-9."""

IN_SINGLE = {"Erf", "Gelu", "HardSwish", "GroupNormalization", "Resize"}
"""Ops of which the reference rounds some constants or steps to float32."""

ROWS = 3

EXAMPLES: list[Example] = []
"""All examples that some promise was made for; `every_example` reads their files."""


@dataclass(frozen=True)
class Whole:
    """A variable input of whole numbers below `high`, or of truth values where it is 2."""

    shape: tuple[int, ...]
    high: int = 2

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(bool if self.high == 2 else np.int64)


Input = tuple[int, ...] | Whole | np.ndarray | None


class Example:
    """A node: its op, its inputs (a shape for a variable one, an array for a constant, None for an absent one).

    `within` bounds the random values of the variable inputs. `without` names the oracle that cannot run the node,
    "reference" or "runtime", with the reason after a colon.
    """

    def __init__(
        self,
        op_type: str,
        *inputs: Input,
        opset: int = 21,
        domain: str = "",
        outputs: int = 1,
        within: tuple[float, float] = (-2.0, 2.0),
        without: str = "",
        **attributes: Any,
    ) -> None:
        self.op_type, self.inputs, self.opset, self.domain = op_type, inputs, opset, domain
        self.outputs, self.within, self.without = outputs, within, without
        self.attributes = attributes

    def __repr__(self) -> str:
        shapes = ",".join(
            "×".join(map(str, i)) if isinstance(i, tuple) else "c" if i is not None else "-" for i in self.inputs
        )
        options = ",".join(f"{key}={value}" for key, value in self.attributes.items())
        return f"{self.op_type}-{self.opset}({shapes}{';' if options else ''}{options})".replace(" ", "")

    @property
    def tolerance(self) -> float:
        """How near the reference's float64 is to ours."""
        return SINGLE if self.op_type in IN_SINGLE else EXACT

    @cached_property
    def names(self) -> list[str]:
        return ["" if given is None else f"x{i}" for i, given in enumerate(self.inputs)]

    @cached_property
    def variable(self) -> tuple[int, ...]:
        return tuple(i for i, given in enumerate(self.inputs) if isinstance(given, (tuple, Whole)))

    @cached_property
    def constants(self) -> dict[str, np.ndarray]:
        return {f"x{i}": given for i, given in enumerate(self.inputs) if isinstance(given, np.ndarray)}

    def model(self, dtype: Any) -> onnx.ModelProto:
        """The node alone in a model, its floating-point tensors of `dtype`."""
        outputs = [f"y{i}" for i in range(self.outputs)]
        node = onnx.helper.make_node(self.op_type, self.names, outputs, domain=self.domain, **self.attributes)
        graph = onnx.helper.make_graph(
            [node],
            "example",
            [onnx.helper.make_tensor_value_info(f"x{i}", *self._type(i, dtype)) for i in self.variable],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [
                onnx.numpy_helper.from_array(given.astype(dtype) if given.dtype.kind == "f" else given, f"x{i}")
                for i, given in enumerate(self.inputs)
                if isinstance(given, np.ndarray)
            ],
        )
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        if self.domain:
            opsets.append(onnx.helper.make_opsetid(self.domain, 1))
        return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def _type(self, position: int, dtype: Any) -> tuple[int, tuple[int, ...]]:
        given = self.inputs[position]
        element = given.dtype if isinstance(given, Whole) else np.dtype(dtype)
        return onnx.helper.np_dtype_to_tensor_dtype(element), shape_of(given)

    def feed(self, values: dict[int, np.ndarray], row: int, dtype: Any) -> dict[str, np.ndarray]:
        """One row as an evaluator takes it."""
        types = {i: given.dtype if isinstance(given, Whole) else np.dtype(dtype) for i, given in enumerate(self.inputs)}
        return {f"x{i}": value[row].astype(types[i]) for i, value in values.items()}

    @cached_property
    def node(self) -> Node:
        # The graph of the node has to live as long as the node.
        self._model = ir.from_proto(self.model(np.float64))
        return nodes_of(self._model)[0]

    def values(self, rng: np.random.Generator, rows: int = ROWS, scale: float = 1.0) -> dict[int, np.ndarray]:
        """Random rows for each variable input."""
        return {i: self._random(rng, i, rows, scale) for i in self.variable}

    def _random(self, rng: np.random.Generator, position: int, rows: int, scale: float) -> np.ndarray:
        given = self.inputs[position]
        if isinstance(given, Whole):
            return rng.integers(given.high, size=(rows, *given.shape)).astype(np.float64)
        return scale * rng.uniform(*self.within, size=(rows, *shape_of(given)))

    def directions(self, rng: np.random.Generator, values: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
        """A random direction for each variable input; whole numbers stay."""
        return {
            i: np.zeros(value.shape) if isinstance(self.inputs[i], Whole) else rng.choice([-1.0, 1.0], size=value.shape)
            for i, value in values.items()
        }

    def answer(self, values: dict[int, np.ndarray] | None) -> tuple[Local, ...]:
        operands = [
            None
            if given is None
            else Operand(name, given.shape, given)
            if isinstance(given, np.ndarray)
            else Operand(name, shape_of(given), None, None if values is None else values[i])
            for i, (name, given) in enumerate(zip(self.names, self.inputs, strict=True))
        ]
        return local(self.node, operands)[: self.outputs]

    def outputs_at(self, values: dict[int, np.ndarray]) -> list[np.ndarray]:
        """What the table says the node's outputs are."""
        found = []
        for one in self.answer(values):
            if one.value is not None:
                found.append(one.value)
            else:
                assert one.offset is not None
                terms = [linear.apply(values[i]) for i, linear in one.maps.items()]
                found.append(sum(terms[1:], start=terms[0]) + one.offset)
        return found


def shape_of(given: Input) -> tuple[int, ...]:
    assert given is not None
    return given if isinstance(given, tuple) else given.shape


def rng_of(example: Example) -> np.random.Generator:
    return np.random.default_rng(sum(map(ord, repr(example))))


def near(found: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    assert found.shape == expected.shape
    finite = expected[np.isfinite(expected)]
    scale = max(1.0, float(np.abs(finite).max(initial=0.0)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale)


def by_rows(
    example: Example, run: Callable[[None, dict[str, np.ndarray]], Any], values: dict[int, np.ndarray], dtype: Any
) -> list[np.ndarray]:
    """The outputs of an evaluator that takes one row at a time."""
    each = [run(None, example.feed(values, row, dtype)) for row in range(len(next(iter(values.values()))))]
    return [np.stack([np.asarray(one, dtype=np.float64) for one in column]) for column in zip(*each, strict=True)]


def value_is_that_of_the_reference(example: Example) -> None:
    """… in float64, several rows at once and each alone."""
    evaluator = ReferenceEvaluator(example.model(np.float64))
    values = example.values(rng_of(example))
    with np.errstate(all="ignore"):
        expected = by_rows(example, evaluator.run, values, np.float64)
    found = example.outputs_at(values)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        near(one, other, example.tolerance)


def value_is_that_of_the_runtime(example: Example) -> None:
    """… in float32, to rounding."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    model = example.model(np.float32).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    values = {i: value.astype(np.float32).astype(np.float64) for i, value in example.values(rng_of(example)).items()}
    expected = by_rows(example, session.run, values, np.float32)
    for one, other in zip(example.outputs_at(values), expected, strict=True):
        near(one, other, SINGLE)


def rows_do_not_meet(example: Example) -> None:
    values = example.values(rng_of(example))
    together = example.outputs_at(values)
    for row in range(ROWS):
        alone = example.outputs_at({i: value[row : row + 1] for i, value in values.items()})
        for one, other in zip(alone, together, strict=True):
            near(one[0], other[row], EXACT)


def transposes_are_transposes(example: Example) -> None:
    """⟨y, W x⟩ = ⟨Wᵀ y, x⟩ for every map, row by row."""
    rng = rng_of(example)
    for one in example.answer(example.values(rng)):
        for linear in one.maps.values():
            x, y = rng.normal(size=(ROWS, *linear.in_shape)), rng.normal(size=(ROWS, *linear.out_shape))
            left, right = y * linear.apply(x), linear.transpose(y) * x
            near(left.reshape(ROWS, -1).sum(axis=1), right.reshape(ROWS, -1).sum(axis=1), 1e-10)


def dense_forms_agree(example: Example) -> None:
    rng = rng_of(example)
    for one in example.answer(example.values(rng, rows=1)):
        for position, linear in one.maps.items():
            assert linear.in_shape == shape_of(example.inputs[position])
            x = rng.normal(size=(1, *linear.in_shape))
            near(linear.dense() @ x.reshape(-1), linear.apply(x).reshape(-1), 1e-11)


def maps_are_those_of_the_variable_inputs(example: Example) -> None:
    for one in example.answer(example.values(rng_of(example))):
        assert set(one.maps) <= set(example.variable)
        assert one.maps
        assert (one.value is None) != (one.offset is None)


def structure_needs_no_values(example: Example) -> None:
    with_values = example.answer(example.values(rng_of(example)))
    for one, other in zip(example.answer(None), with_values, strict=True):
        assert one.offset is not None
        assert other.offset is not None
        assert one.offset.ndim == len(next(iter(one.maps.values())).out_shape)
        np.testing.assert_array_equal(one.offset, other.offset)


def affine_far_away(example: Example) -> None:
    """The same map holds for inputs a thousand times as large."""
    evaluator = ReferenceEvaluator(example.model(np.float64))
    values = example.values(rng_of(example), scale=1e3)
    expected = by_rows(example, evaluator.run, values, np.float64)
    for one, other in zip(example.outputs_at(values), expected, strict=True):
        near(one, other, example.tolerance)


def tangents_are_derivatives(example: Example) -> None:
    """… by central differences along random directions, several rows at once and one alone."""
    rng = rng_of(example)
    for rows in (ROWS, 1):
        values = example.values(rng, rows)
        along = example.directions(rng, values)
        above = example.outputs_at({i: value + STEP * along[i] for i, value in values.items()})
        below = example.outputs_at({i: value - STEP * along[i] for i, value in values.items()})
        for one, up, down in zip(example.answer(values), above, below, strict=True):
            slope = sum(linear.apply(along[i]) for i, linear in one.maps.items())
            near(np.broadcast_to(slope, up.shape), (up - down) / (2 * STEP), 1e-7)


def map_holds_in_the_region(example: Example) -> None:
    """A little further on the map is the same, and tells the value."""
    rng = rng_of(example)
    values = example.values(rng, rows=1)
    moves = {i: 1e-6 * value for i, value in example.directions(rng, values).items()}
    there = {i: value + moves[i] for i, value in values.items()}
    for here, moved in zip(example.answer(values), example.answer(there), strict=True):
        assert here.value is not None
        assert moved.value is not None
        for position, linear in here.maps.items():
            np.testing.assert_array_equal(linear.dense(), moved.maps[position].dense())
        near(here.value + sum(linear.apply(moves[i]) for i, linear in here.maps.items()), moved.value, EXACT)


def active_is_a_mask(example: Example) -> None:
    for one in example.answer(example.values(rng_of(example))):
        if one.active is not None:
            assert one.value is not None
            assert one.active.dtype == bool
            assert one.active.shape == one.value.shape


ALWAYS = [
    value_is_that_of_the_reference,
    value_is_that_of_the_runtime,
    rows_do_not_meet,
    maps_are_those_of_the_variable_inputs,
    transposes_are_transposes,
    dense_forms_agree,
]
CHECKS = {
    "everywhere": [*ALWAYS, structure_needs_no_values, affine_far_away],
    "region": [*ALWAYS, tangents_are_derivatives, map_holds_in_the_region, active_is_a_mask],
    "point": [*ALWAYS, tangents_are_derivatives],
}


NEEDS = {
    "reference": {value_is_that_of_the_reference, affine_far_away},
    "runtime": {value_is_that_of_the_runtime},
}


@dataclass(frozen=True)
class Case:
    check: Callable[[Example], None]
    example: Example
    reach: str

    def run(self) -> None:
        assert reach_of(self.example.node, self.example.variable, self.example.constants) == self.reach
        self.check(self.example)


@cache
def every_example() -> list[Example]:
    """The examples of all files."""
    for path in sorted(Path(__file__).parent.glob("test_ops_*.py")):
        spec = importlib.util.spec_from_file_location(f"examples_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return list({repr(example): example for example in EXAMPLES}.values())


def promise(
    everywhere: Sequence[Example] = (), region: Sequence[Example] = (), point: Sequence[Example] = ()
) -> Callable[[Case], None]:
    """One test for each check and example; the examples are listed by how far they hold."""
    cases = [
        Case(check, example, reach)
        for reach, examples in (("everywhere", everywhere), ("region", region), ("point", point))
        for example in examples
        for check in CHECKS[reach]
        if not (example.without and check in NEEDS[example.without.partition(":")[0]])
    ]

    EXAMPLES.extend((*everywhere, *region, *point))

    @pytest.mark.parametrize("case", cases, ids=lambda case: f"{case.check.__name__}-{case.example!r}")
    def test(case: Case) -> None:
        case.run()

    return test
