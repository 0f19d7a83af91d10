"""Whether ONNX's own checker accepts a model; large tensors are left out of what it sees: no copy of them is made."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import CheckerPass

from unbend.errors import ModelError


def check(model: ir.Model, name: str) -> None:
    """Let `onnx.checker` look at the model. Inputs and outputs of which the file tells no shape are let pass.

    Raises
    ------
    ModelError
        It does not accept it; the text is the checker's.
    """
    twin = model.clone()
    for value in (*twin.graph.inputs, *twin.graph.outputs):
        value.shape = ir.Shape([]) if value.shape is None else value.shape
        value.dtype = value.dtype or ir.DataType.FLOAT
    try:
        CheckerPass()(twin)
    except Exception as error:
        said = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ModelError(
            f"onnx.checker does not accept {name}",
            where="\n".join(line[:300] for line in said[:2]),
            try_="export the model again, or ask its exporter why: onnx.checker.check_model shows the whole report",
        ) from error
