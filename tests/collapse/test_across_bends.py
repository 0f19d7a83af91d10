"""What must not be lost between stretches: biases and scales that are taken off on one side of a bend or a product.

The unknown op keeps the whole network from being run, so that nothing but the plan itself stands against a loss.
"""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import parser

from unbend.affine import Selection
from unbend.collapse import collapse

HEAD = '<ir_version: 8, opset_import: ["" : 17, "my" : 1]>\n'


def without_unknown(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without its unknown op and the output that it makes."""
    known = onnx.ModelProto.FromString(model.SerializeToString())
    nodes = [node for node in known.graph.node if node.domain != "my"]
    del known.graph.node[:]
    known.graph.node.extend(nodes)
    del known.graph.output[1:]
    return known


def answer(model: onnx.ModelProto, rows: int) -> np.ndarray:
    """What the known part of the model makes of random rows."""
    known = without_unknown(model)
    session = ort.InferenceSession(known.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    shapes = {one.name: [rows if isinstance(n, str) else n for n in one.shape] for one in session.get_inputs()}
    return session.run(None, {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})[0]


def assert_kept(inputs: str, output: str, numbers: str, body: str) -> None:
    """Both with an unknown op beside it and without, the collapsed network computes the same."""
    plain = parser.parse_model(f"{HEAD}g ({inputs}) => ({output})\n<{numbers}>{{\n{body}}}")
    first = plain.graph.input[0].name
    unknown = parser.parse_model(
        f"{HEAD}g ({inputs}) => ({output}, float[N] z)\n<{numbers}>{{\n{body} z=my.Unknown({first})\n}}"
    )
    for model in (plain, unknown):
        found = collapse(model, cost="macs")
        for rows in (1, 3):
            before, after = (answer(one, rows) for one in (model, found.to_onnx()))
            np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5 * np.abs(before).max())
        assert found.certificate is None or found.certificate.holds


def test_a_value_s_bias_stays_where_a_bend_reads_the_product():
    body = "s=Softmax<axis=-1>(q)\n v=Add(x,b)\n o=MatMul(s,v)\n y=Relu(o)\n"
    assert_kept("float[N,3,4] x, float[N,3,3] q", "float[N,3,4] y", "float[4] b={1,2,3,4}", body)


@pytest.mark.parametrize("scaled", ["k", "j"])
def test_the_scale_of_what_a_product_takes_as_given_stays(scaled):
    body = """ e=Relu(a)
 k=MatMul(e,r)
 j=Slice(k,zero,three,one)
 p=Mul(SCALED,two)
 rv=Relu(x)
 b=MatMul(rv,w)
 o=MatMul(p,b)
 y=MatMul(o,w2)
""".replace("SCALED", scaled)
    numbers = """float[4,4] w={1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,9}, float[4,2] w2={1,0,3,4,5,0,7,8}, float two={2},
 int64[1] zero={0}, int64[1] three={3}, int64[1] one={1}"""
    assert_kept("float[N,3,3] a, float[N,3,4] x, float[N,3,3] r", "float[N,3,2] y", numbers, body)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_a_convolution_of_heads_does_not_pass_a_product_that_differs_between_them(channels):
    kernel = ",".join(map(str, range(1, 2 * channels + 1)))
    numbers = f"float two={{2}}, float[{channels},2,1,1] w={{{kernel}}}"
    body = " v=Relu(q)\n e=Mul(v,two)\n m=MatMul(e,x)\n y=Conv(m,w)\n"
    assert_kept("float[N,2,1,2] q, float[N,2,2,2] x", f"float[N,{channels},1,2] y", numbers, body)


def test_a_bias_does_not_pass_a_product_whose_rows_add_up_to_anything():
    numbers = "float[4,2] w={1,2,3,4,5,6,7,8}, float[1,1] c={3}, int64[1] ax={-1}"
    body = " a=MatMul(x,w)\n b=Add(a,c)\n m=MatMul(q,b)\n y=ReduceSum<keepdims=1>(m,ax)\n"
    assert_kept("float[N,2,4] x, float[1,2] q", "float[N,1,1] y", numbers, body)


def test_windows_whose_first_place_is_outside():
    length = 5000
    index = np.arange(length)[:, None] + np.arange(2) - 1
    windows = Selection(index.reshape(1, length, 2), (1, length))
    x = np.arange(1.0, length + 1).reshape(1, 1, length)
    expected = np.where(index < 0, 0.0, x[0, 0][index])
    assert np.array_equal(windows.apply(x).reshape(length, 2), expected)
