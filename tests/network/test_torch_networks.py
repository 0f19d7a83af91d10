"""torch modules and the dialects of its exporters."""

import io
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_graphs import assert_same
from torch_networks import TwoIn

from unbend.collapse import collapse
from unbend.errors import ModelError
from unbend.network import Runner, read

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.torch


def straight():
    torch.manual_seed(0)
    linear = torch.nn.Linear
    return torch.nn.Sequential(linear(6, 8), torch.nn.BatchNorm1d(8), linear(8, 8), linear(8, 2))


def image():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 5), torch.nn.Linear(5, 2),
    )  # fmt: skip


def exported(module, example, dialect):
    module.eval()
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dialect == "torchscript":
            axes = {"x": {0: "N"}, "y": {0: "N"}}
            torch.onnx.export(
                module, (example,), target, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes
            )
            return onnx.load_from_string(target.getvalue())
        free = ({0: torch.export.Dim.DYNAMIC},)
        program = torch.onnx.export(
            module, (example,), dynamo=True, dynamic_shapes=free, optimize=dialect == "dynamo", verbose=False
        )
        return program.model_proto


@pytest.mark.parametrize("dialect", ["dynamo", "unoptimized", "torchscript"])
def test_straight_network(dialect):
    model = exported(straight(), torch.randn(3, 6), dialect)
    found = collapse(model, cost="macs")
    assert found.affine
    assert found.after.nodes == 1
    assert_same(model, found.to_onnx())


@pytest.mark.parametrize("dialect", ["dynamo", "unoptimized", "torchscript"])
def test_image_network(dialect):
    model = exported(image(), torch.randn(3, 3, 9, 9), dialect)
    found = collapse(model, cost="macs")
    assert found.after.heavy == 2
    assert_same(model, found.to_onnx())


def test_module_with_an_example():
    module, x = straight(), torch.randn(1, 6)
    network = read(module, x)
    assert network.batch is None
    module.eval()
    rows = torch.randn(5, 6)
    found = Runner(network)(rows.numpy())[network.output.name].reshape(5, 2)
    np.testing.assert_allclose(found, module(rows).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_module_is_left_as_it_was(training):
    module = straight().train(training)
    module[1].eval()
    before = [one.training for one in module.modules()]
    weights = {key: value.clone() for key, value in module.state_dict().items()}
    read(module, np.zeros((1, 6)))
    assert [one.training for one in module.modules()] == before
    assert all(torch.equal(value, weights[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_weights_that_the_exporter_folds_have_the_type_of_the_network(dtype):
    """torch's exporter leaves a BatchNormalization that it folds into bfloat16 weights in float32."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).eval()
    for one in (module[1].running_var, module[1].weight.data):
        one.uniform_(0.5, 2.0)
    network = read(module.to(dtype), torch.randn(1, 3, 6, 6, dtype=dtype))
    assert [node.op_type for node in network.nodes] == ["Conv"]
    assert {network.constants[name].dtype.name for name in network.nodes[0].inputs[1:]} == {str(dtype).split(".")[1]}


def test_no_example():
    with pytest.raises(ModelError, match="needs an example input"):
        read(straight())


def test_an_example_is_suggested_from_the_first_layer():
    with pytest.raises(ModelError) as caught:
        read(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(5, 2)))
    assert caught.value.try_.endswith("such as torch.zeros(1, 5)")
    with pytest.raises(ModelError) as caught:
        read(torch.nn.Conv2d(3, 4, 3))
    assert "torch.zeros" not in caught.value.try_


def test_an_example_of_the_wrong_width(capfd):
    with pytest.raises(ModelError) as caught:
        read(torch.nn.Sequential(torch.nn.Linear(5, 2), torch.nn.ReLU()), torch.zeros(1, 7))
    assert caught.value.what == "Sequential does not take the example, of shape (rows, 7)"
    assert "shapes cannot be multiplied" in caught.value.where
    assert "\x1b" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_module_that_cannot_be_exported():
    class Odd(torch.nn.Module):
        def forward(self, x):
            return x * float(x.sum().item() > 0) + len(str(x.mean().item()))

    with pytest.raises(ModelError, match="torch cannot export Odd"):
        read(Odd(), torch.randn(2, 3))


def test_an_example_without_its_batch_axis():
    with pytest.raises(ModelError) as caught:
        read(torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Linear(4, 2)), torch.zeros(5))
    assert "example[None]" in caught.value.try_


X, Z = torch.linspace(-1, 1, 4).reshape(1, 4), torch.linspace(-2, 1, 3).reshape(1, 3)


@pytest.mark.parametrize("example", [(X, Z), [X, Z.numpy()], {"z": Z, "x": X}], ids=["tuple", "list", "dict"])
def test_a_module_of_two_inputs(example):
    """Witness: torch itself, for a batch of another size, against onnxruntime on what was collapsed."""
    module, found = TwoIn(), collapse(TwoIn(), example, cost="macs")
    assert found.after.heavy == 2
    rows = {"x": torch.randn(5, 4), "z": torch.randn(5, 3)}
    expected = module.eval()(**rows).detach().numpy()
    session = onnxruntime.InferenceSession(found.to_onnx().SerializeToString())
    (given,) = session.run(None, {name: value.numpy() for name, value in rows.items()})
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_the_examples_of_a_module_are_tried():
    network = read(TwoIn(), (X, Z))
    assert {name: rows.tolist() for name, rows in network.examples.items()} == {
        "x": X[:, None].tolist(),
        "z": Z[:, None].tolist(),
    }


def test_a_name_that_the_module_does_not_know():
    with pytest.raises(ModelError, match="TwoIn does not take the example") as raised:
        read(TwoIn(), {"x": X, "w": Z})
    assert "'w'" in raised.value.where


class Branching(torch.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_what_cannot_be_exported_is_said_in_one_line(capfd):
    with pytest.raises(ModelError, match="torch cannot export Branching") as raised:
        read(Branching(), X)
    assert "Next steps" not in raised.value.where
    assert raised.value.where.strip()
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


def test_an_example_with_nan_is_refused():
    with pytest.raises(ModelError, match="holds NaN") as raised:
        read(straight(), torch.tensor([[0.0, 1.0, float("nan"), 1.0, 1.0, 1.0]]))
    assert "1 of its 6 values, the first at (0, 2)" in raised.value.where


@pytest.mark.parametrize("example", [(X, (Z,)), {"x": X, "z": ["a", "b"]}, "x.npy"])
def test_an_example_that_is_no_array(example):
    with pytest.raises(ModelError, match="the example for TwoIn is no array of numbers"):
        read(TwoIn(), example)
