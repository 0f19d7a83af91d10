"""A collapsed network as a torch module: the same numbers, the same outputs to rounding, the user's names."""

import copy
import io
import sys
import warnings

import numpy as np
import pytest
from onnx_graphs import Graph, a, run
from torch_networks import NETWORKS, Language, Recurrent, TwoIn, mlp, network

from unbend.collapse import collapse
from unbend.errors import ModelError

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", NETWORKS)
def test_the_module_computes_what_the_network_does(name):
    module, x = network(name)
    found = collapse(module, x[:1])
    assert found.changed == (name != "residual")  # its exporter has folded what there was
    smaller = found.to_torch()
    scale = float(module(x).detach().abs().max())
    for rows in (x, x[:1]):
        with torch.no_grad():
            expected, own = module(rows), smaller(rows)
        written = torch.from_numpy(run(found.to_onnx(), rows.numpy())[0]).float()
        torch.testing.assert_close(own, written, rtol=0, atol=3e-6 * scale)
        torch.testing.assert_close(own, expected, rtol=0, atol=1e-5 * scale)
    alike_once = {one.detach().numpy().tobytes(): one.numel() for one in smaller.parameters()}  # as the file has them
    assert sum(alike_once.values()) <= found.after.parameters


@pytest.mark.parametrize("name", ["MobileOne", "attention", "UNet"])
def test_the_module_can_be_traced_copied_saved_and_exported_again(name):
    module, x = network(name)
    smaller = collapse(module, x[:1]).to_torch()
    expected = smaller(x).detach()
    free = ({0: torch.export.Dim.DYNAMIC},)
    file = io.BytesIO()
    torch.save(smaller, file)
    file.seek(0)
    for other in (
        torch.export.export(smaller, (x[:2],), dynamic_shapes=free).module(),
        torch.fx.symbolic_trace(smaller),
        copy.deepcopy(smaller),
        torch.load(file, weights_only=False),
        collapse(smaller, x[:1]).to_torch(),
    ):
        torch.testing.assert_close(other(x), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert not smaller.training
    assert all(one.requires_grad and one.is_leaf for one in smaller.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["MobileOne", "ConvNeXt", "attention"])
def test_types(name, dtype):
    module, x = network(name, dtype)
    smaller = collapse(module, x[:1]).to_torch()
    assert {one.dtype for one in smaller.parameters()} == {dtype}
    with torch.no_grad():
        truth, own, given = module.double()(x.double()), smaller(x), network(name, dtype)[0](x)
    assert own.dtype == dtype
    largest = float(truth.abs().max())
    if dtype == torch.float64:  # ONNX keeps attributes, such as the ε of a norm, in 32 bits
        torch.testing.assert_close(own, truth, rtol=0, atol=1e-10 * largest)
    else:
        rounding = torch.finfo(dtype).eps * largest
        assert float((own - truth).abs().max()) <= 3 * float((given - truth).abs().max()) + 4 * rounding


def test_names_are_the_users_own():
    module, x = network("residual")
    smaller = collapse(module, x[:1]).to_torch()
    assert list(smaller.state_dict()) == [
        *("stem.0.weight", "stem.0.bias", "body.0.weight", "body.0.bias", "body.3.weight", "body.3.bias"),
        *("head.weight", "head.bias"),
    ]
    assert {"pool", "stem.2", "body.2", "relu", "softmax"} <= {name for name, _ in smaller.named_modules()}
    assert torch.equal(smaller.get_parameter("head.weight"), module.head.weight)


def test_a_product_and_its_bias_are_one_layer():
    module, x = network("transformer")
    smaller = collapse(module, x[:1]).to_torch()
    assert torch.equal(smaller.get_submodule("feed.0").bias, module.feed[0].bias)


def test_lengths_are_free_where_the_file_has_them_free():
    module, x = Language().eval(), torch.randint(0, 20, (2, 7))
    free = ({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, (x,), dynamo=True, dynamic_shapes=free, verbose=False)
    smaller = collapse(program.model_proto).to_torch()
    for shape in ((1, 1), (3, 7), (2, 19)):
        rows = torch.randint(0, 20, shape)
        torch.testing.assert_close(smaller(rows), module(rows), rtol=0, atol=1e-5)


def test_the_users_module_is_not_touched_and_not_tied():
    module, x = network("LoRA")
    module.train()
    smaller = collapse(module, x[:1].requires_grad_()).to_torch()
    assert module.training
    smaller(x).sum().backward()
    assert all(one.grad is None for one in module.parameters())
    assert all(one.grad is not None for one in smaller.parameters())


def test_a_network_with_a_memory_is_refused():
    with pytest.raises(ModelError, match="no torch layer is written for: LSTM"):
        collapse(Recurrent(), torch.randn(1, 3, 4)).to_torch()


@pytest.mark.parametrize("missing", ["torch", "onnxscript"])
def test_what_is_not_installed_is_named(missing, monkeypatch):
    module, x = network("LoRA")
    found = collapse(module, x[:1])
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModelError, match=f"{missing} is not installed") as caught:
        found.to_torch() if missing == "torch" else collapse(module, x[:1])
    assert 'pip install "unbend[torch]"' in caught.value.try_


def test_weights_are_the_networks_own_and_their_names_can_be_read():
    found = collapse(mlp(), torch.zeros(1, 6), name="two layers")
    module = found.to_torch()
    linear = [one for one in module.modules() if isinstance(one, nn.Linear)]
    assert [(one.in_features, one.out_features) for one in linear] == [(6, 12), (12, 2)]
    numbers = {tensor.tobytes() for value in found.model.graph.initializers.values() if (tensor := value.const_value)}
    assert all(one.weight.detach().numpy().tobytes() in numbers for one in linear)
    assert all(name.isidentifier() or name.isdigit() for key in module.state_dict() for name in key.split("."))
    assert "self." in module.code


@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_of_any_shape(transposed):
    kind = nn.ConvTranspose1d if transposed else nn.Conv1d
    module = nn.Sequential(kind(4, 6, 3, stride=2, padding=1, groups=2), nn.LeakyReLU(0.2), kind(6, 4, 2, dilation=2))
    x = torch.randn(2, 4, 11)
    own = collapse(module, x[:1]).to_torch()
    torch.testing.assert_close(own(x), module(x), rtol=0, atol=1e-5)


def test_uneven_pads():
    graph = Graph("N", 2, 6, 6)
    model = graph.model(graph("Relu", graph("Conv", "x", a(3, 2, 3, 3), pads=[0, 1, 2, 0])))
    x = np.random.default_rng(0).normal(size=(2, 2, 6, 6)).astype(np.float32)
    own = collapse(model).to_torch()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(own, run(model, x)[0], atol=1e-5)


def test_an_op_without_a_layer_is_named():
    graph = Graph("N", 4)
    model = graph.model(graph("Compress", "x", np.array([True, False, True, True]), axis=1))
    with pytest.raises(ModelError, match="no torch layer is written for: Compress"):
        collapse(model).to_torch()


def test_a_network_of_two_inputs():
    module, x, z = TwoIn(), torch.randn(6, 4), torch.randn(6, 3)
    own = collapse(module, (x[:1], z[:1])).to_torch()
    torch.testing.assert_close(own(x, z), module(x, z), rtol=0, atol=1e-5)
    torch.testing.assert_close(own(z=z, x=x), module(x, z), rtol=0, atol=1e-5)
