"""The regression at a row against torch's own derivatives."""

from __future__ import annotations

import numpy as np
import pytest

from unbend.bends import near, tangent
from unbend.network import read

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")


def modules():
    nn = torch.nn
    torch.manual_seed(0)
    yield "relu", nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3)), (6,)
    yield "tanh", nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.LayerNorm(16), nn.Linear(16, 1)), (6,)
    yield "gelu", nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 2)), (6,)
    yield "prelu", nn.Sequential(nn.Linear(6, 8), nn.PReLU(8), nn.Linear(8, 8), nn.ReLU6(), nn.Linear(8, 2)), (6,)
    yield (
        "pooled",
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3),
            nn.LeakyReLU(0.1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 2),
        ),
        (1, 8, 8),
    )


SINGLE = 1e-7
"""ONNX keeps attributes such as BatchNormalization's epsilon in float32."""


@pytest.mark.parametrize(("module", "shape"), [pytest.param(m, s, id=name) for name, m, s in modules()])
def test_jacobian(module, shape):
    module = module.double().eval()
    network = read(module, torch.zeros(2, *shape, dtype=torch.float64))
    for x in np.random.default_rng(0).normal(size=(5, int(np.prod(shape)))):
        row = torch.tensor(x.reshape(1, *shape))
        expected = torch.autograd.functional.jacobian(lambda z: module(z)[0], row).reshape(-1, x.size).numpy()
        found = tangent(network, x, network.output.name)
        np.testing.assert_allclose(found.weight, expected, rtol=SINGLE, atol=1e-9)
        np.testing.assert_allclose(found.value, module(row)[0].detach().numpy(), rtol=SINGLE, atol=1e-9)


def test_near_of_a_module(frame):
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    x = np.random.default_rng(1).normal(size=(20, 4))
    found = near(module, frame(x), row=3, example=torch.zeros(1, 4))
    row = torch.tensor(x[3], dtype=torch.float32, requires_grad=True)
    module(row).sum().backward()
    assert row.grad is not None
    np.testing.assert_allclose(found.weight[0], row.grad.numpy(), rtol=1e-5, atol=1e-6)
