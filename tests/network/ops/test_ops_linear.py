"""Examples for elementwise sums and products, matrices, convolutions and sums along axes."""

import numpy as np
from op_contract import Example, promise

rng = np.random.default_rng(1)


def a(*shape):
    return rng.normal(size=shape)


def positive(*shape):
    return rng.uniform(0.5, 2.0, size=shape)


def ints(*numbers):
    return np.array(numbers, dtype=np.int64)


test_elementwise = promise(
    everywhere=[
        Example("Add", (1, 4), a(4)),
        Example("Add", a(3, 1), (1, 4)),
        Example("Add", (1, 3, 4), (1, 1, 4)),
        Example("Add", (1, 4), a(5, 1, 1)),
        Example("Sub", a(1, 4), (1, 4)),
        Example("Sub", (1, 4), (1, 1)),
        Example("Mul", (1, 3, 2, 2), a(3, 1, 1)),
        Example("Mul", a(4, 1), (1, 4)),
        Example("Mul", np.array(3.0), (1, 4)),
        Example("Div", (1, 4), positive(4)),
        Example("Neg", (1, 4)),
        Example("Sum", (1, 4), a(4), (1, 1)),
        Example("Mean", (1, 4), a(1, 4), (1, 1)),
        Example("Mean", (1, 4)),
    ],
    point=[
        Example("Mul", (1, 4), (1, 4)),
        Example("Mul", (1, 3, 4), (1, 1, 4)),
        Example("Div", (1, 4), (1, 1), within=(0.5, 2)),
        Example("Div", a(3, 4), (1, 4), within=(0.5, 2)),
    ],
)
test_matrix = promise(
    everywhere=[
        Example("Gemm", (1, 4), a(4, 3), a(3)),
        Example("Gemm", (1, 4), a(4, 3)),
        Example("Gemm", (1, 4), a(3, 4), a(1, 1), transB=1, alpha=0.5, beta=2.0),
        Example("Gemm", (4, 2), a(3, 4), a(2, 1), transA=1, transB=1),
        Example("Gemm", a(4, 3), (4, 1), a(1), transA=1),
        Example("Gemm", a(2, 4), (1, 4), (1,), transB=1, alpha=1.5, beta=0.5),
        Example("Gemm", a(2, 4), a(4, 3), (1, 3)),
        Example("MatMul", (1, 4), a(4, 3)),
        Example("MatMul", (1, 5, 4), a(4, 3)),
        Example("MatMul", (1, 2, 5, 4), a(2, 4, 3)),
        Example("MatMul", (1, 5, 4), a(2, 1, 4, 3)),
        Example("MatMul", (1, 5, 4), a(1, 1, 1, 4, 3)),
        Example("MatMul", a(3, 5), (1, 5, 4)),
        Example("MatMul", a(2, 3, 5), (5, 4)),
        Example("MatMul", a(5), (1, 5, 4)),
        Example("MatMul", (1, 4), a(4)),
        Example("MatMul", (4,), a(4, 3)),
        Example("MatMul", a(3, 4), (4,)),
        Example("MatMul", (4,), a(4)),
    ],
    point=[
        Example("Gemm", (2, 4), (3, 4), (3,), transB=1, alpha=0.5, beta=2.0),
        Example("Gemm", (4, 1), (4, 3), a(3), transA=1),
        Example("MatMul", (1, 5, 4), (1, 4, 3)),
        Example("MatMul", (1, 2, 5, 4), (4, 3)),
        Example("MatMul", (4,), (1, 2, 4, 3)),
        Example("MatMul", (1, 2, 3, 4), (4,)),
    ],
)
test_convolution = promise(
    everywhere=[
        Example("Conv", (1, 3, 7), a(4, 3, 3), a(4)),
        Example("Conv", (1, 2, 6, 5), a(3, 2, 3, 2), a(3), pads=[1, 0, 2, 1], strides=[2, 1]),
        Example("Conv", (1, 4, 7, 7), a(6, 2, 3, 3), group=2, dilations=[2, 1], pads=[1, 1, 1, 1]),
        Example("Conv", (1, 4, 5, 5), a(4, 1, 3, 3), a(4), group=4, auto_pad="SAME_UPPER", strides=[2, 2]),
        Example("Conv", (1, 2, 6, 6), a(3, 2, 3, 3), auto_pad="SAME_LOWER", strides=[2, 2]),
        Example("Conv", (1, 2, 6, 6), a(3, 2, 2, 2), auto_pad="SAME_LOWER"),
        Example("Conv", (1, 2, 6, 6), a(3, 2, 3, 3), auto_pad="VALID"),
        Example("Conv", (1, 2, 3, 4, 3), a(3, 2, 2, 2, 2), a(3), pads=[1, 0, 0, 0, 1, 1]),
        Example("ConvTranspose", (1, 3, 4), a(3, 2, 3), a(2), strides=[2]),
        Example(
            "ConvTranspose",
            (1, 4, 3, 4),
            a(4, 2, 3, 3),
            without="reference: wrong with several outputs a group",
            group=2,
            pads=[1, 0, 1, 1],
            strides=[2, 1],
        ),
        Example("ConvTranspose", (1, 4, 3, 4), a(4, 1, 3, 3), group=4, pads=[1, 0, 1, 1], strides=[2, 1]),
        Example("ConvTranspose", (1, 2, 3, 3), a(2, 2, 3, 3), strides=[2, 2], output_padding=[1, 1]),
        Example(
            "ConvTranspose",
            (1, 2, 3, 3),
            a(2, 2, 3, 3),
            without="reference: fails with output_shape",
            strides=[2, 2],
            output_shape=[6, 7],
        ),
        Example("ConvTranspose", (1, 2, 3, 3), a(2, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
        Example("ConvTranspose", (1, 2, 3, 3), a(2, 2, 2, 2), dilations=[2, 1]),
    ]
)
ML = "ai.onnx.ml"

test_einsum = promise(
    everywhere=[
        Example("Einsum", (1, 4), a(4, 3), equation="ij,jk->ik"),
        Example("Einsum", a(2, 3, 5), (1, 4, 5), equation="hdk,btk->bhtd"),
        Example("Einsum", (1, 4, 5), a(4), a(5, 2), equation="btk,t,kd->btd"),
        Example("Einsum", (1, 4, 5), a(4), equation="btk,t->bt"),
        Example("Einsum", (1, 4, 5), a(5, 3), equation="...k,kd->...d"),
        Example("Einsum", (1, 4), a(4, 3), equation="ij,jk"),
        Example("Einsum", (1, 4, 5), equation="abc->cb"),
        Example("Einsum", (1, 4), a(3), equation="ij,k->kji"),
    ]
)
test_classical = promise(
    everywhere=[
        Example(
            "Scaler", (1, 3), domain=ML, without="reference: float32", scale=[1.0, 2.0, 0.5], offset=[0.5, 0.0, 1.0]
        ),
        Example("LinearRegressor", (1, 3), domain=ML, coefficients=[1.0, 2.0, 0.5], intercepts=[0.5]),
        Example(
            "LinearRegressor", (1, 2), domain=ML, coefficients=[1.0, 2.0, 0.5, -1.0], intercepts=[0.5, 1.0], targets=2
        ),
    ]
)
test_reduction = promise(
    everywhere=[
        Example("ReduceSum", (1, 3, 4), ints(1)),
        Example("ReduceSum", (1, 3, 4), ints(-1, 1), keepdims=0),
        Example("ReduceSum", (1, 3, 4)),
        Example("ReduceSum", (1, 3, 4), ints(), noop_with_empty_axes=1),
        Example("ReduceMean", (1, 3, 4), ints(2)),
        Example("ReduceMean", (1, 3, 4, 2), opset=13, axes=[2, 3], keepdims=0),
        Example("ReduceMean", (1, 3, 4), keepdims=0),
        Example("CumSum", (1, 4), np.array(1)),
        Example("CumSum", (1, 3, 4), np.array(-2), exclusive=1, reverse=1),
    ]
)
NONE = np.array([], dtype=np.float32)
TWICE = np.array([1.0, 1.0, 2.0, 2.0], dtype=np.float32)
SCALES = np.array([1.0, 1.0, 0.625, 2.5], dtype=np.float32)

test_resize = promise(
    everywhere=[
        *(
            Example("Resize", (1, 2, 5, 4), None, factors, opset=19, mode=mode, coordinate_transformation_mode=places)
            for mode in ("nearest", "linear", "cubic")
            for factors, places in (
                (TWICE, "half_pixel"),
                (TWICE, "asymmetric"),
                (TWICE, "align_corners"),
                (SCALES, "pytorch_half_pixel"),
            )
        ),
        *(
            Example("Resize", (1, 1, 5, 4), None, SCALES, opset=19, nearest_mode=mode)
            for mode in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        ),
        Example("Resize", (1, 1, 5, 4), None, SCALES, opset=19, mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5),
        Example("Resize", (1, 2, 5, 4), NONE, NONE, ints(1, 2, 8, 3), opset=13, mode="linear"),
        Example("Resize", (1, 2, 5, 4), None, None, ints(8, 3), opset=19, mode="linear", axes=[2, 3]),
        Example(
            "Resize",
            (1, 1, 5, 4),
            None,
            SCALES,
            opset=19,
            mode="linear",
            coordinate_transformation_mode="half_pixel_symmetric",
        ),
    ]
)
