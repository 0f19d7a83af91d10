"""The benchmark of random networks counts what it is told to: nothing here, and a fault where there is one."""

from importlib import import_module

import onnx_ir

benchmark = import_module("benchmarks.random_graphs")
package = import_module("unbend.collapse")


def test_there_is_nothing_to_find():
    counts = benchmark.faults(range(12))
    assert sum(count for (_, what), count in counts.items() if what == "networks") == 12
    assert sum(count for (_, what), count in counts.items() if what == "changed") > 2
    assert not [what for _, what in counts if what in benchmark.FAULTS]
    assert benchmark.table(counts).splitlines()[-1].startswith("| all | 12 |")


def test_a_wrong_weight_is_found(monkeypatch):
    right = package.collapse

    def wrongly(model, **how):
        found = right(model, **how)
        for value in found.model.graph.initializers.values():
            array = value.const_value.numpy()
            if found.changed and array.dtype.kind == "f":
                value.const_value = onnx_ir.tensor((1.01 * array).astype(array.dtype))
        return found

    monkeypatch.setattr(package, "collapse", wrongly)
    counts = benchmark.faults(range(12))
    said = {what for _, what in counts}
    assert {"wrong", "verify failed"} <= said
