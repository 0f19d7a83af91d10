"""Networks as people write them in PyTorch, small."""

import pytest

torch = pytest.importorskip("torch")
nn = torch.nn


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


class ConvNeXt(nn.Module):
    """A stem, and a block with its channels last in the middle and a scale of each."""

    def __init__(self):
        super().__init__()
        self.stem, self.depthwise = nn.Conv2d(3, 8, 2, 2), nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm = nn.LayerNorm(8, eps=1e-6)
        self.feed = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.gamma = nn.Parameter(torch.full((8,), 0.1))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = self.stem(x)
        y = self.gamma * self.feed(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))
        return self.head((x + y.permute(0, 3, 1, 2)).mean((-2, -1)))


class Attention(nn.Module):
    """torch's own attention, whose export splits q, k and v off one product, with positions and a head."""

    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Linear(6, 8), nn.Parameter(torch.randn(1, 5, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.embed(x) + self.places
        return self.head(self.norm(x + self.attention(x, x, x, need_weights=False)[0]))


class Encoder(nn.Module):
    """torch's own layer of a transformer, read at the first token."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu")
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.encoder(x)[:, 0])


class LoRA(nn.Module):
    """A layer with an adapter beside it."""

    def __init__(self):
        super().__init__()
        self.base, self.out = nn.Linear(8, 8), nn.Linear(8, 3)
        self.down, self.up = nn.Linear(8, 2, bias=False), nn.Linear(2, 8, bias=False)

    def forward(self, x):
        return self.out(torch.relu(self.base(x) + 0.5 * self.up(self.down(x))))


class UNet(nn.Module):
    """Down and up again in two ways, with norms of the image's own."""

    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.SiLU())
        self.middle = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.InstanceNorm2d(8, affine=True), nn.PReLU(8))
        self.up, self.stretch = nn.ConvTranspose2d(8, 4, 2, 2), nn.Upsample(scale_factor=2, mode="bilinear")
        self.out = nn.Conv2d(12, 2, 1)

    def forward(self, x):
        first = self.down(x)
        small = self.middle(first)
        return torch.sigmoid(self.out(torch.cat([self.up(small), self.stretch(small)], 1))) * first[:, :2]


class Language(nn.Module):
    """Tokens of any number, each looking back."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 20)
        self.q, self.k, self.v, self.out = (nn.Linear(8, 8) for _ in range(4))

    def forward(self, x):
        h = self.embed(x)
        rows, length, _ = h.shape
        q, k, v = (one(h).view(rows, length, 2, 4).transpose(1, 2) for one in (self.q, self.k, self.v))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head(h + self.out(y.transpose(1, 2).reshape(rows, length, 8)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.memory(x)[0])


class TwoIn(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.other = nn.Linear(4, 8), nn.Linear(8, 5), nn.Linear(3, 5)

    def forward(self, x, z):
        return torch.relu(self.second(self.first(x)) + self.other(z))


NETWORKS = {
    "mlp": (mlp, (6,)),
    "RepVGG": (RepVGG, (4, 8, 8)),
    "residual": (Residual, (3, 16, 16)),
    "MobileOne": (MobileOne, (4, 8, 8)),
    "transformer": (Transformer, (5, 8)),
    "ConvNeXt": (ConvNeXt, (3, 16, 16)),
    "attention": (Attention, (5, 6)),
    "encoder": (Encoder, (5, 8)),
    "LoRA": (LoRA, (8,)),
    "UNet": (UNet, (3, 8, 8)),
}


def network(name, dtype=torch.float32):
    """The module, its statistics those of data, and rows for it."""
    build, shape = NETWORKS[name]
    torch.manual_seed(0)
    module = build()
    module.train()(torch.randn(16, *shape))
    return module.eval().to(dtype), torch.randn(3, *shape, dtype=dtype)
