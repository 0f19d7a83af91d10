"""What times decide, with a meter that says what the test wants: no test here looks at a clock of this machine."""

import importlib
from functools import partial

import ml_dtypes
import numpy as np
import onnx_ir as ir
import pytest
from onnx_graphs import Graph, a, assert_same

from unbend.collapse import collapse
from unbend.collapse.choose.measured import Judge, fastest
from unbend.collapse.choose.timing import ENOUGH, FEWEST_ROUNDS, ROUNDS, Spread, Timing, by_onnxruntime, in_turns
from unbend.collapse.find.stretches import stretches
from unbend.collapse.write.rewrite import plan
from unbend.errors import ModelError, UsageError
from unbend.network import read
from unbend.progress import heard


def scaled_convolution():
    """A convolution, a scale and a sum with another branch: collapsing it saves nodes only, and so is in doubt."""
    graph = Graph("N", 4, 6, 6)
    scaled = graph("Mul", graph("Conv", "x", a(4, 4, 3, 3), pads=[1] * 4), a(4, 1, 1))
    return graph.model(graph("Relu", graph("Add", scaled, graph("Relu", "x"))))


def deep():
    """A linear network that loses nearly all of its multiplications: there is no doubt."""
    graph = Graph("N", 8)
    return graph.model(graph("MatMul", graph("MatMul", "x", a(8, 64)), a(64, 2)))


class Clock:
    """A meter: the seconds of a model are what `seconds` says of its op types."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.asked = []

    def __call__(self, models: list[ir.Model], feeds, budget):
        ops = [sorted(node.op_type for node in model.graph) for model in models]
        self.asked.append(ops)
        return [np.full(9, self.seconds(one)) for one in ops]


def measured(model, seconds):
    clock = Clock(seconds)
    found = collapse(model, cost="measured", meter=clock)
    assert_same(model, found.to_onnx())
    return found, clock


def test_what_is_faster_collapses():
    found, clock = measured(scaled_convolution(), lambda ops: len(ops) / 1000)
    assert found.changed
    assert found.timing is not None
    assert found.timing.ratio.median == pytest.approx(4 / 5)
    assert len(clock.asked) == 2  # the stretch that is in doubt, and the whole network


def test_what_is_slower_is_kept_and_says_the_figures():
    found, _ = measured(scaled_convolution(), lambda ops: 1.0 if "Mul" in ops else 1.25)
    assert not found.changed
    (stretch,) = found.stretches
    assert stretch.reason == "its collapsed form takes 1.25 times as long on this machine (middle half 1.25 to 1.25)"
    assert "1.25 times" in str(found)


def test_what_is_slower_by_no_more_than_noise_collapses():
    found, _ = measured(scaled_convolution(), lambda ops: 1.0 if "Mul" in ops else 1.01)
    assert found.changed


def test_a_slow_form_is_measured_again_before_it_is_believed():
    answers = iter([[1.0, 1.3], [1.0, 0.9], [1.0, 0.9]])

    def meter(models, feeds, budget):
        return [np.full(9, seconds) for seconds in next(answers)]

    assert collapse(scaled_convolution(), cost="measured", meter=meter).changed


def test_another_exact_form_is_taken_where_it_is_faster():
    """With its bias folded and its scale left alone."""
    graph = Graph("N", 4, 6, 6)
    value = graph("Mul", graph("Add", graph("Conv", "x", a(4, 4, 3, 3), pads=[1] * 4), a(4, 1, 1)), a(4, 1, 1))
    model = graph.model(graph("Relu", graph("Add", value, graph("Relu", "x"))))
    seconds = {"Add Add Conv Mul": 1.0, "Add Conv": 0.9, "Add Conv Mul": 0.5}
    found, clock = measured(model, lambda ops: seconds.get(" ".join(one for one in ops if one != "Relu"), 1.0))
    assert sorted(clock.asked[0]) == [["Add", "Add", "Conv", "Mul"], ["Add", "Conv"], ["Add", "Conv", "Mul"]]
    assert sorted(node.op_type for node in found.model.graph) == ["Add", "Conv", "Mul", "Relu", "Relu"]


def test_without_a_doubt_only_the_whole_network_is_timed():
    found, clock = measured(deep(), lambda ops: len(ops))
    assert clock.asked == [[["MatMul", "MatMul"], ["Gemm"]]]
    assert found.timing == Timing(Spread(2, 2, 2), Spread(1, 1, 1), Spread(0.5, 0.5, 0.5), 9)


def test_a_network_that_gets_slower_as_a_whole_is_left_as_it_was():
    found, _ = measured(deep(), lambda ops: 2.0 if "Gemm" in ops else 1.0)
    assert not found.changed
    assert found.timing is None
    assert found.stretches[0].reason.startswith("with it the whole network takes 2 times as long")


def test_stretches_of_one_kind_share_one_answer():
    graph = Graph("N", 4, 6, 6)
    value = "x"
    for _ in range(3):
        scaled = graph("Mul", graph("Conv", value, a(4, 4, 3, 3), pads=[1] * 4), a(4, 1, 1))
        value = graph("Relu", graph("Add", scaled, value))
    found, clock = measured(graph.model(value), lambda ops: 2.0 if "Mul" not in ops else 1.0)
    assert [one.collapsed for one in found.stretches] == [False] * 3
    assert len(clock.asked) == 2  # one kind, twice


def test_counting_asks_no_meter():
    def meter(*_):
        raise AssertionError

    found = collapse(scaled_convolution(), cost="macs", meter=meter)
    assert found.changed
    assert found.timing is None
    assert "Not timed: cost=macs" in str(found)


def test_what_cannot_be_run_is_counted():
    def meter(*_):
        raise ModelError("no such machine")

    found = collapse(scaled_convolution(), cost="measured", meter=meter)
    assert found.changed
    assert found.timing is None
    assert "Not timed: no such machine." in str(found)


def test_too_few_rounds_are_no_measurement():
    def meter(models, feeds, budget):
        return [np.full(FEWEST_ROUNDS - 1, 3.0) for _ in models]

    found = collapse(scaled_convolution(), cost="measured", meter=meter)
    assert found.changed
    assert "Not timed: one run takes 3 s." in str(found)


def test_a_budget_that_is_spent_leaves_the_rest_to_counting():
    network = read(scaled_convolution())
    judge = Judge(network, lambda stretch, untouched: pytest.fail("nothing is planned"), left=0.0)
    assert judge.settle([]) == []
    assert judge.doubted == judge.untimed == 0


@pytest.mark.parametrize(
    ("times", "best"), [([1, 1], 1), ([1, 1.01], 1), ([1, 1.1], 0), ([1, 0.9, 0.8], 2), ([1, 0.9, 0.895], 1)]
)
def test_the_planned_form_wins_unless_another_is_faster_beyond_noise(times, best):
    assert fastest([np.full(5, float(one)) for one in times]) == best


def test_turns_are_counted_and_end_with_the_budget():
    now = [0.0]

    def run():
        now[0] += 1.0

    found = in_turns([run, run], 17.0, lambda: now[0])
    assert [one.tolist() for one in found] == [[1.0] * 3, [1.0] * 3]


def turns(*rounds):
    """How many rounds are run of networks that take so long."""
    now, calls = [0.0], [0] * len(rounds)

    def run(which):
        now[0] += rounds[which](calls[which])
        calls[which] += 1

    found = in_turns([partial(run, i) for i in range(len(rounds))], 1e9, lambda: now[0])
    return len(found[0])


@pytest.mark.parametrize(
    ("rounds", "count"),
    [
        ((lambda _: 1.2, lambda _: 1.0), ENOUGH),
        ((lambda _: 1.2, lambda _: 1.0, lambda _: 1.1), ENOUGH),
        ((lambda _: 1.0, lambda _: 1.0), ROUNDS),
        ((lambda _: 1.0, lambda _: 1.2), ROUNDS),
        ((lambda _: 1.2, lambda _: 1.0, lambda _: 0.9), ROUNDS),
        ((lambda call: 0.9 if call == 5 else 1.2, lambda _: 1.0), ROUNDS),
    ],
)
def test_turns_end_early_only_without_a_doubt(rounds, count):
    assert turns(*rounds) == count


def test_a_stretch_that_is_large_is_timed_with_the_whole_network_only(monkeypatch):
    monkeypatch.setattr(importlib.import_module("unbend.collapse.choose.measured"), "LARGEST_STRETCH", 1000)
    found, clock = measured(scaled_convolution(), len)
    assert found.changed
    assert len(clock.asked) == 1


def test_another_form_is_planned_once():
    network = read(scaled_convolution())
    planned = []

    def planner(stretch, untouched=()):
        planned.append(stretch)
        return plan(network, stretch, untouched)

    judge = Judge(network, planner, Clock(lambda ops: 1.0 if "Mul" in ops else 2.0))
    plans = [plan(network, stretch) for stretch in stretches(network).stretches]
    assert any(one.collapses for one in plans)
    judge.settle(plans)
    assert len(planned) == 1


def test_this_machine_runs_both():
    model = read(deep())
    first, second = by_onnxruntime(
        [model.model, collapse(deep()).model], {"x": np.zeros((1, 8), dtype=np.float32)}, 0.05
    )
    assert len(first) == len(second) >= 1
    assert (first > 0).all()


def test_what_it_is_at_is_heard():
    said = []
    with heard(said.append):
        collapse(deep(), cost="measured", meter=Clock(len))
    assert said[0] == "reading"
    assert "composing stretch 1 of 1" in said
    assert said[-1] == "timing the network before and after"


@pytest.mark.usefixtures("any_digits")
def test_bfloat16_is_not_timed_and_the_report_says_why():
    graph = Graph("N", 4, dtype=np.dtype(ml_dtypes.bfloat16))
    exact = np.ones((4, 6)), np.ones((6, 3))  # whatever else half precision may cost
    found = collapse(graph.model(graph("Gemm", graph("Gemm", "x", exact[0]), exact[1])), cost="measured")
    assert found.changed
    assert "onnxruntime has no bfloat16" in " ".join(str(found).split())


@pytest.mark.parametrize("cost", ["mac", "", 0])
def test_a_cost_that_is_not_known_is_refused(cost):
    with pytest.raises(UsageError, match="is not known"):
        collapse(deep(), cost=cost)


def test_a_network_that_does_not_run_at_a_size_is_a_model_error_of_the_meter():
    graph = Graph("N", "T", 4)
    model = ir.from_proto(graph.model(graph("Relu", graph("Reshape", "x", np.array([-1, 9, 4])))))
    assert len(by_onnxruntime([model], {"x": np.zeros((1, 9, 4), np.float32)}, 0.01)) == 1
    with pytest.raises(ModelError, match="cannot run the network on an input of x 1×7×4"):
        by_onnxruntime([model], {"x": np.zeros((1, 7, 4), np.float32)}, 0.01)
