"""Offsets are held number by number to what rounding does to each: a large channel is no licence for a small one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from kinds import freed, in_type
from onnx import numpy_helper
from onnx_graphs import Graph, a
from tampering import tamper, weight, written

from unbend.collapse import collapse
from unbend.collapse.certify import certificate as certificates
from unbend.collapse.certify import precision
from unbend.collapse.certify.bound import bound
from unbend.collapse.find.stretches import stretches
from unbend.collapse.write.rewrite import plan
from unbend.network import at_lengths, read
from unbend.verify import verify

LARGE = np.array([1e3, 1.0, 1.0, 1.0])
"""The channels: one is a thousand times the others."""

TYPES = {"float32": 1e-4, "float16": 0.02, "bfloat16": 0.1}
"""By what share a small offset is moved: many roundings of its own, less than one of the large one."""


@pytest.fixture(autouse=True)
def whatever_it_loses(monkeypatch):
    """Half precision refuses some of these stretches for their digits, which is not asked here."""
    monkeypatch.setattr(precision, "ALLOWED", math.inf)


def image() -> onnx.ModelProto:
    """Two branches of a convolution, of which one channel has a large offset."""
    graph = Graph("N", 4, 9, 9)
    branches = [graph("Conv", "x", a(4, 4, 3, 3), LARGE, pads=[1] * 4), graph("Conv", "x", a(4, 4, 1, 1), LARGE / 3)]
    return graph.model(graph("Relu", graph("Add", *branches)))


def moved(share: float) -> Callable[[onnx.ModelProto], None]:
    """Move the second offset by a share of itself."""

    def apply(model: onnx.ModelProto) -> None:
        tensor = weight(model, 1)
        offset = numpy_helper.to_array(tensor).copy()
        offset[1] = (offset[1].astype(np.float64) * (1 + share)).astype(offset.dtype)
        tensor.CopyFrom(numpy_helper.from_array(offset, tensor.name))

    return apply


@pytest.mark.parametrize("free", [(), (2, 3)])
@pytest.mark.parametrize("dtype", TYPES)
def test_a_wrong_offset_is_found_beside_a_large_one(dtype, free, tmp_path):
    model = image() if dtype == "float32" else in_type(image(), dtype)
    files = written(tmp_path, freed(model, free) if free else model)
    assert verify(*files).holds
    tamper(files[1], files[2], moved(TYPES[dtype]))
    found = verify(*files)
    assert "at the origin" in found.wrong[0]
    assert "[0, 1, 0, 0]" in found.wrong[0]


@pytest.mark.parametrize("free", [(), (2, 3)])
@pytest.mark.parametrize("dtype", TYPES)
def test_the_certificate_fails_where_an_offset_is_not_what_rounding_explains(dtype, free):
    model = image() if dtype == "float32" else in_type(image(), dtype)
    network = at_lengths(read(freed(model, free) if free else model))
    (stretch,) = stretches(network).stretches
    one = plan(network, stretch)
    assert bound(network, one).holds
    (edge,) = one.edges
    last = edge.steps[-1]
    offset = last.affine.offset.copy()
    offset[0, 1] *= 1 + TYPES[dtype]
    step = replace(last, affine=replace(last.affine, offset=offset))
    planted = replace(one, edges=(replace(edge, steps=(*edge.steps[:-1], step)),))
    assert not bound(network, planted).holds


@pytest.mark.parametrize("free", [(), (2, 3)])
def test_a_stretch_whose_offset_is_wrong_is_left_as_it_was(free, monkeypatch):
    def off(network, one):
        (edge,) = one.edges
        step = edge.steps[-1]
        wrong = replace(step, affine=replace(step.affine, offset=step.affine.offset + 1e-4))
        return bound(network, replace(one, edges=(replace(edge, steps=(*edge.steps[:-1], wrong)),)))

    monkeypatch.setattr(certificates, "bound", off)
    found = collapse(freed(image(), free) if free else image(), cost="macs")
    assert not found.changed
    assert "its certificate failed" in found.stretches[0].reason


@pytest.mark.parametrize("dtype", [np.float32, np.float16, ml_dtypes.bfloat16])
def test_what_is_written_is_what_the_bound_is_of(dtype):
    """The plan's numbers are those of the file: to round them again changes nothing."""
    graph = Graph("N", 3, 8, 8, dtype=dtype, opset=23)
    inner = graph("Conv", "x", a(4, 3, 1, 1), a(4))
    outer = graph("Conv", inner, a(5, 4, 3, 3), a(5), pads=[1] * 4)
    network = read(graph.model(graph("Relu", graph("Add", outer, graph("Conv", "x", a(5, 3, 1, 1), a(5))))))
    one = plan(network, stretches(network).stretches[0])
    affines = [step.affine for edge in one.edges for step in edge.steps]
    assert one.collapses
    assert any(affine.offset.any() for affine in affines)
    for array in (*(affine.offset for affine in affines), *one.offsets.values()):
        np.testing.assert_array_equal(array.astype(dtype).astype(np.float64), array)


def test_an_offset_may_not_be_stated_wider_than_rounding(tmp_path):
    files = written(tmp_path, image())
    stated = json.loads(Path(files[2]).read_text())
    stated["stretches"][0]["bound"]["offset"] = 1e-5
    Path(files[2]).write_text(json.dumps(stated))
    assert "the bound of the offsets" in verify(*files).wrong[0]


def test_a_scale_that_is_one_up_to_rounding_is_left_out():
    graph = Graph("N", 4)
    back = (np.full(4, 1 / 0.3), np.zeros(4), np.zeros(4), np.full(4, 1 - 1e-5))
    value = graph("BatchNormalization", graph("Mul", "x", np.full(4, 0.3)), *back)
    found = collapse(graph.model(graph("Relu", value)), cost="macs")
    assert found.after.nodes == 1
    assert found.certificate is not None
    assert found.certificate.holds
