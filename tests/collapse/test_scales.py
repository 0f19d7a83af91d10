"""Scales and shifts through bends: what goes through and saves a node, and what must stay."""

import numpy as np
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse


def collapsed(model):
    """The collapsed network, which computes the same and is never dearer."""
    found = collapse(model, cost="macs")
    assert found.after.nodes <= found.before.nodes
    assert found.after.macs <= found.before.macs
    assert found.after.parameters <= found.before.parameters
    assert_same(model, found.to_onnx(), 1, 3)
    assert not collapse(found.to_onnx(), cost="macs").changed
    return found


def ops(found) -> list[str]:
    return [node.op_type for node in found.to_onnx().graph.node]


def positive(*shape: int) -> np.ndarray:
    return np.exp(a(*shape))


HEADS, TOKENS, WIDTH = 2, 5, 8


class Attention:
    """Attention of a few heads; what happens to the scores is the caller's choice."""

    def __init__(self) -> None:
        self.graph = Graph("N", TOKENS, WIDTH)

    def projected(self, order: tuple[int, ...], bias: np.ndarray | None) -> str:
        graph = self.graph
        value = graph("MatMul", "x", a(WIDTH, WIDTH))
        if bias is not None:
            value = graph("Add", value, bias)
        value = graph("Reshape", value, np.array([0, TOKENS, HEADS, WIDTH // HEADS]))
        return graph("Transpose", value, perm=order)

    def scores(self, key_bias: np.ndarray | None = None) -> str:
        query = self.projected((0, 2, 1, 3), a(WIDTH))
        return self.graph("MatMul", query, self.projected((0, 2, 3, 1), a(WIDTH) if key_bias is None else key_bias))

    def mixed(self, weights: str, value_bias: np.ndarray | None = None, *more: str):
        graph = self.graph
        mixed = graph("MatMul", weights, self.projected((0, 2, 1, 3), a(WIDTH) if value_bias is None else value_bias))
        joined = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, TOKENS, WIDTH]))
        return graph.model(graph("Add", graph("MatMul", joined, a(WIDTH, WIDTH)), a(WIDTH)), *more)


def attention(scale=None, mask=None, times=None, axis=-1, key_bias=None, value_bias=None, seen=False):
    one = Attention()
    scores = first = one.scores(key_bias)
    if scale is not None:
        scores = one.graph("Mul", scores, np.asarray(scale))
    if mask is not None:
        scores = one.graph("Add", scores, mask)
    if times is not None:
        scores = one.graph("Mul", scores, times)
    weights = one.graph("Softmax", scores, axis=axis)
    return one.mixed(weights, value_bias, *([first] if seen else []))


def test_attention_keeps_neither_its_scale_nor_the_biases_of_keys_and_values():
    found = ops(collapsed(attention(scale=0.5)))
    assert found.count("Mul") == 0
    assert found.count("Add") == 2  # the query's and the last


@pytest.mark.parametrize("scale", [-0.7, positive(HEADS, 1, 1), a(1, 1, TOKENS, 1), a(TOKENS)], ids=str)
def test_a_scale_of_the_scores_goes_into_queries_or_keys(scale):
    left = ops(collapsed(attention(scale=scale))).count("Mul")
    assert left == int(np.size(scale) == TOKENS)


@pytest.mark.parametrize("scale", [0.0, [[[0.0]], [[1.0]]], a(TOKENS, TOKENS), np.float32(3e38)], ids=str)
def test_a_scale_that_has_no_inverse_or_fits_nowhere_stays(scale):
    collapsed(attention(scale=scale))


def test_a_mask_that_is_added_hides_no_key_bias():
    found = ops(collapsed(attention(scale=0.5, mask=np.triu(np.full((TOKENS, TOKENS), -1e4), 1))))
    assert found.count("Add") == 3  # the query's, the mask, the last


@pytest.mark.parametrize(
    "options",
    [
        {"times": a(TOKENS, TOKENS)},  # what was the same for every key no longer is
        {"times": a(TOKENS)},
        {"axis": -2},
        {"axis": 1},
        {"seen": True},
        {"key_bias": a(TOKENS, WIDTH)},  # another bias for each key
    ],
    ids=lambda one: next(iter(one)),
)
def test_a_key_bias_that_is_seen_stays(options):
    found = ops(collapsed(attention(**options)))
    assert found.count("Add") >= 3


def test_a_value_bias_of_each_key_stays():
    assert ops(collapsed(attention(value_bias=a(TOKENS, WIDTH)))).count("Add") == 3


def test_a_value_bias_stays_where_the_weights_do_not_add_up_to_one():
    one = Attention()
    found = ops(collapsed(one.mixed(one.graph("Sigmoid", one.scores()))))
    assert found.count("Add") == 4


def test_scales_of_queries_and_keys_along_the_axis_that_is_summed_become_one():
    graph = Graph("N", TOKENS, WIDTH)
    query, key = (graph("Softplus", graph("MatMul", "x", a(WIDTH, 4))) for _ in range(2))
    query, key = graph("Mul", query, positive(4)), graph("Mul", graph("Transpose", key, perm=[0, 2, 1]), a(4, 1))
    found = ops(collapsed(graph.model(graph("Relu", graph("MatMul", query, key)))))
    assert found.count("Mul") == 1


IMAGE = 5
"""As many channels as the image is wide: what broadcasts along the wrong axis still has a shape that fits."""


def between(bend, scale, *, sources=1, readers=()):
    """Conv – bend – scale – Add with another bend, so that no convolution after the scale can take it in."""
    graph = Graph("N", IMAGE, 4, IMAGE)
    value = bend(graph, graph("Conv", "x", a(IMAGE, IMAGE, 1, 1), a(IMAGE)))
    scaled = graph("Mul", value, scale)
    other = graph("Tanh", graph("Conv", "x", a(IMAGE, IMAGE, 1, 1)))
    more = [read(graph, value) for read in readers]
    out = graph("Sigmoid", graph("Add", scaled, other) if value_is_whole(bend) else scaled)
    return graph.model(out, *more)


def value_is_whole(bend) -> bool:
    return bend not in (max_pool, global_max)


def relu(graph, x):
    return graph("Relu", x)


def leaky(graph, x):
    return graph("LeakyRelu", x, alpha=0.3)


def prelu(graph, x):
    return graph("PRelu", x, a(IMAGE, 1, 1))


def clip_at_zero(graph, x):
    return graph("Clip", x, np.array(0.0))


def max_with_zero(graph, x):
    return graph("Max", x, np.array(0.0))


def max_pool(graph, x):
    return graph("MaxPool", x, kernel_shape=[2, 2])


def global_max(graph, x):
    return graph("GlobalMaxPool", x)


def magnitude(graph, x):
    return graph("Abs", x)


def relu_six(graph, x):
    return graph("Clip", x, np.array(0.0), np.array(6.0))


def max_with_more(graph, x):
    return graph("Max", x, np.array(0.1))


def elu(graph, x):
    return graph("Elu", x)


PER_CHANNEL = positive(IMAGE, 1, 1)


@pytest.mark.parametrize(
    "bend", [relu, leaky, prelu, clip_at_zero, max_with_zero, max_pool, global_max, magnitude], ids=lambda f: f.__name__
)
def test_a_positive_scale_goes_back_through(bend):
    assert "Mul" not in ops(collapsed(between(bend, PER_CHANNEL)))


@pytest.mark.parametrize("bend", [relu_six, max_with_more, elu], ids=lambda f: f.__name__)
def test_a_bend_that_is_not_homogeneous_lets_no_scale_through(bend):
    assert "Mul" in ops(collapsed(between(bend, PER_CHANNEL)))


@pytest.mark.parametrize(
    "scale",
    [-PER_CHANNEL, PER_CHANNEL * np.array([1, 1, 0, 1, 1]).reshape(-1, 1, 1), PER_CHANNEL * np.sign(a(IMAGE, 1, 1)),
     positive(IMAGE), positive(4, 1)],
    ids=["negative", "zero", "mixed", "along the width", "along the height"],
)  # fmt: skip
@pytest.mark.parametrize("bend", [relu, max_pool], ids=lambda f: f.__name__)
def test_a_scale_of_the_wrong_sign_or_axis_stays(bend, scale):
    if bend is max_pool and scale.shape == (IMAGE,):
        scale = scale[:-1]
    if bend is max_pool and scale.shape == (4, 1):
        scale = scale[:-1]
    assert "Mul" in ops(collapsed(between(bend, scale)))


def test_a_value_that_is_asked_for_keeps_its_units():
    model = between(relu, PER_CHANNEL, readers=[lambda graph, value: value])
    assert "Mul" in ops(collapsed(model))


def test_another_reader_that_is_linear_takes_the_inverse_in():
    model = between(relu, PER_CHANNEL, readers=[lambda graph, v: graph("Conv", v, a(3, IMAGE, 3, 3), pads=[1] * 4)])
    assert "Mul" not in ops(collapsed(model))


def test_another_reader_that_bends_keeps_the_scale():
    model = between(relu, PER_CHANNEL, readers=[lambda graph, value: graph("Sigmoid", value)])
    assert "Mul" in ops(collapsed(model))


@pytest.mark.usefixtures("any_digits")
def test_half_precision_goes_through_as_well():
    graph = Graph("N", IMAGE, 4, IMAGE, dtype=np.float16)
    value = graph("Mul", graph("Relu", graph("Conv", "x", a(IMAGE, IMAGE, 1, 1), a(IMAGE))), PER_CHANNEL)
    model = graph.model(graph("Sigmoid", graph("Add", value, graph("Tanh", "x"))))
    found = collapse(model, cost="macs")
    assert "Mul" not in ops(found)
    assert found.certificate.holds


def test_a_bias_before_instance_normalisation_is_idle():
    graph = Graph("N", 3, 6, 6)
    value = graph("InstanceNormalization", graph("Conv", "x", a(4, 3, 3, 3), a(4)), positive(4), a(4))
    found = collapsed(graph.model(graph("Relu", value)))
    assert found.before.parameters - found.after.parameters == 4


def test_a_bias_map_before_instance_normalisation_stays():
    graph = Graph("N", 3, 6, 6)
    value = graph("Add", graph("Conv", "x", a(4, 3, 3, 3)), a(4, 4, 4))
    model = graph.model(graph("InstanceNormalization", value, positive(4), a(4)))
    assert "Add" in ops(collapsed(model))


def test_a_shift_and_a_scale_before_a_padded_convolution_are_one_shift():
    graph = Graph("N", 3, 6, 6)
    value = graph("Div", graph("Sub", graph("Div", "x", np.array(255.0)), a(3, 1, 1)), positive(3, 1, 1))
    model = graph.model(graph("Relu", graph("Conv", value, a(4, 3, 3, 3), a(4), pads=[1, 1, 1, 1])))
    assert ops(collapsed(model)) == ["Add", "Conv", "Relu"]


def test_a_scale_of_zero_before_a_padded_convolution_has_no_shift_before_it():
    graph = Graph("N", 3, 6, 6)
    value = graph("Add", graph("Mul", "x", np.array([1.0, 0.0, 2.0]).reshape(3, 1, 1)), a(3, 1, 1))
    collapsed(graph.model(graph("Relu", graph("Conv", value, a(4, 3, 3, 3), a(4), pads=[1, 1, 1, 1]))))


def pooled(bias: bool, pool: str = "AveragePool", channels: int = 4, **attributes):
    graph = Graph("N", 6, 8, 8)
    value = graph("Conv", "x", a(channels, 6, 1, 1), *([a(channels)] if bias else []))
    return graph.model(graph("Relu", graph(pool, value, **attributes)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "options",
    [{"kernel_shape": [2, 2], "strides": [2, 2]}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}],
    ids=["plain", "padded"],
)
def test_a_pool_goes_before_a_pointwise_convolution(bias, options):
    found = collapsed(pooled(bias, **options))
    assert ops(found) == ["AveragePool", "Conv", "Relu"]
    assert found.after.macs < found.before.macs


def test_a_pool_that_counts_its_padding_stays_behind_a_bias():
    options = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1}
    assert ops(collapsed(pooled(True, **options)))[0] == "Conv"
    assert ops(collapsed(pooled(False, **options)))[0] == "AveragePool"


def test_a_pool_in_ceil_mode_goes_before():
    found = collapsed(pooled(True, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1))
    assert ops(found)[0] == "AveragePool"


def test_a_pool_stays_where_going_first_would_cost_more():
    graph = Graph("N", 64, 6, 6)
    value = graph("Conv", "x", a(2, 64, 1, 1), a(2))
    found = collapsed(graph.model(graph("Relu", graph("AveragePool", value, kernel_shape=[5, 5]))))
    assert ops(found)[0] == "AveragePool" if found.changed else "Conv"


def test_a_global_pool_goes_before():
    assert ops(collapsed(pooled(True, "GlobalAveragePool"))) == ["GlobalAveragePool", "Conv", "Relu"]


def test_two_sums_take_one_scale_each():
    graph = Graph("N", 3, 6, 6)
    one, other = (graph("Relu", graph("Conv", "x", a(4, 3, 1, 1))) for _ in range(2))
    added = graph("Add", graph("Conv", one, a(4, 4, 3, 3), pads=[1] * 4), graph("Conv", other, a(4, 4, 1, 1)))
    found = ops(collapsed(graph.model(graph("Relu", graph("BatchNormalization", added, *(positive(4),) * 4)))))
    assert "BatchNormalization" not in found
    assert "Mul" not in found
    assert len(found) == 8


def test_mixing_of_tokens_is_a_product_from_the_left():
    graph = Graph("N", 6, 4)
    value = graph("Add", graph("Mul", "x", a(4)), a(4))
    value = graph("Transpose", value, perm=[0, 2, 1])
    value = graph("Transpose", graph("Add", graph("MatMul", value, a(6, 6)), a(6)), perm=[0, 2, 1])
    model = graph.model(graph("Relu", graph("Add", "x", graph("Mul", value, a(4)))))
    assert "Transpose" not in ops(collapsed(model))


def test_a_scale_of_the_input_itself_stays():
    graph = Graph("N", IMAGE, 4, IMAGE)
    scaled = graph("Mul", graph("Relu", "x"), PER_CHANNEL)
    assert "Mul" in ops(collapsed(graph.model(graph("Sigmoid", graph("Add", scaled, graph("Tanh", "x"))))))
