"""A collapsed network as a torch module: the same numbers, the same outputs to rounding, readable names."""

import numpy as np
import pytest
from onnx_graphs import Graph, a, run

from unbend.collapse import collapse
from unbend.errors import ModelError

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.torch


class RepVGG(nn.Module):
    """Three branches, a ReLU, and a head."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Conv2d(4, 4, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(3))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    def forward(self, x):
        parts = zip(self.norms, (self.wide(x), self.narrow(x), x), strict=True)
        return self.head(torch.relu(sum(norm(part) for norm, part in parts)))


class Residual(nn.Module):
    """Two convolutions with normalisation around a shortcut, as in a ResNet, and a strided pool before them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.body = nn.Sequential(
            nn.Conv2d(6, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1)
        )
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = self.pool(self.stem(x))
        return torch.softmax(self.head(torch.relu(x + self.body(x)).mean((2, 3))), dim=1)


class MobileOne(nn.Module):
    """Depthwise branches beside each other, then a 1 x 1 convolution."""

    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(3))
        self.point = nn.Conv2d(4, 8, 1)

    def forward(self, x):
        x = torch.relu(sum(norm(conv(x)) for norm, conv in zip(self.norms, self.branches, strict=True)))
        return torch.nn.functional.gelu(self.point(x))


class Transformer(nn.Module):
    """One block: attention over rows of tokens, and a feed-forward part."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(2))
        self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))
        self.feed = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 16), nn.Linear(16, 8))

    def forward(self, x):
        h = self.norms[0](x)
        q, k, v = (one(h).reshape(-1, 5, 2, 4).transpose(1, 2) for one in (self.q, self.k, self.v))
        weights = torch.softmax(q @ k.transpose(2, 3) / 2.0, dim=-1)
        x = x + self.out((weights @ v).transpose(1, 2).reshape(-1, 5, 8))
        return x + self.feed(self.norms[1](x))


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 12), nn.Tanh(), nn.Linear(12, 24), nn.Linear(24, 2))


CASES = {
    "mlp": (mlp, (6,)),
    "RepVGG": (RepVGG, (4, 8, 8)),
    "residual": (Residual, (3, 16, 16)),
    "MobileOne": (MobileOne, (4, 8, 8)),
    "transformer": (Transformer, (5, 8)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_module_computes_what_the_network_does(name):
    build, shape = CASES[name]
    torch.manual_seed(0)
    module = build()
    x = torch.randn(3, *shape)
    module.train()(torch.randn(16, *shape))
    found = collapse(module.eval(), x[:1])
    assert found.changed == (name != "residual")  # its exporter has folded what there was
    smaller = found.to_torch()
    with torch.no_grad():
        expected, own = module(x), smaller(x)
    written = torch.from_numpy(run(found.to_onnx(), x.numpy())[0]).float()
    scale = float(expected.abs().max())
    torch.testing.assert_close(own, written, rtol=0, atol=3e-6 * scale)
    torch.testing.assert_close(own, expected, rtol=0, atol=1e-5 * scale)
    alike_once = {one.detach().numpy().tobytes(): one.numel() for one in smaller.parameters()}  # as the file has them
    assert sum(alike_once.values()) <= found.after.parameters


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


class TwoIn(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.other = nn.Linear(4, 8), nn.Linear(8, 5), nn.Linear(3, 5)

    def forward(self, x, z):
        return torch.relu(self.second(self.first(x)) + self.other(z))


def test_a_network_of_two_inputs():
    module, x, z = TwoIn(), torch.randn(6, 4), torch.randn(6, 3)
    own = collapse(module, (x[:1], z[:1])).to_torch()
    torch.testing.assert_close(own(x, z), module(x, z), rtol=0, atol=1e-5)
    torch.testing.assert_close(own(z=z, x=x), module(x, z), rtol=0, atol=1e-5)
