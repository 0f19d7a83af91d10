"""The network's answers for rows of its input, and how answers become probabilities of classes."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import expit, softmax

from unbend.errors import ModelError
from unbend.network import Network, Runner, input_shape
from unbend.pairing.head import Head

Meaning = Literal["numbers", "probabilities", "log-probabilities", "probability", "log-odds", "scores"]
"""What the answers for one row are: `probability` and `log-odds` are one number, for the second of two classes."""

SUM = 1e-3
"""Probabilities in float32 sum to 1 within this."""


class Answering:
    """A network under onnxruntime, giving its output and the value before its last Softmax or Sigmoid."""

    def __init__(self, network: Network, head: Head) -> None:
        self.network, self.head = network, head

    @cached_property
    def runner(self) -> Runner:
        """The session; ModelError if onnxruntime cannot run the network."""
        return Runner(self.network, [self.head.logits])

    def __call__(self, x: np.ndarray, name: str, index: np.ndarray) -> np.ndarray:
        """The value called `name` for input rows `x` (n, d), (n, outputs); `index` has the rows' numbers.

        Raises
        ------
        ModelError
            A value is not finite, or the network cannot be run.
        """
        if len(x) == 0:
            return np.empty((0, self.head.size))
        values = self.runner(x.reshape(len(x), *input_shape(self.network)))[name]
        found = values.reshape(len(x), -1).astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
        if len(bad):
            first = found[bad[0]]
            raise ModelError(
                f"{self.network.name} gives {first[~np.isfinite(first)][0]} as its answer",
                where=f"for {len(bad)} of {len(x)} rows; the first is row {index[bad[0]]} (rows count from 0)",
                try_="look at that row; columns in other units than those the network was trained on can do this",
            )
        return found


def meaning_of(head: Head) -> Meaning:
    """What the end of the network says about its answers to a question of classes."""
    if head.kind == "binary":
        return "probability"
    if head.kind == "classes":
        return "log-probabilities" if head.last == "LogSoftmax" else "probabilities"
    return "log-odds" if head.kind == "number" else "scores"


def look_again(meaning: Meaning, answers: np.ndarray) -> Meaning:
    """Answers that end in no Softmax or Sigmoid may be probabilities all the same: those for some rows tell."""
    if answers.size == 0 or answers.min() < 0.0 or answers.max() > 1.0 + SUM:
        return meaning
    if meaning == "log-odds":
        return "probability"
    sums = answers.sum(axis=1)
    return "probabilities" if meaning == "scores" and np.all(np.abs(sums - 1.0) < SUM) else meaning


def probabilities(answers: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Probabilities of the classes, (n, classes), each row with the sum 1."""
    match meaning:
        case "probability":
            return np.column_stack([1.0 - answers[:, 0], answers[:, 0]])
        case "log-odds":
            return np.column_stack([expit(-answers[:, 0]), expit(answers[:, 0])])
        case "log-probabilities":
            return np.exp(answers)
        case "probabilities":
            total = answers.sum(axis=1, keepdims=True)
            return np.divide(answers, total, out=np.full_like(answers, 1 / answers.shape[1]), where=total > 0)
        case _:
            return np.asarray(softmax(answers, axis=1))


def meaning_note(meaning: Meaning, head: Head) -> str:
    """What was assumed about the answers, where the network does not say it by its end; else empty."""
    if head.classifier and not (head.last == "Sigmoid" and head.size > 1):
        return ""
    if head.classifier:
        return "The network gives a probability for each class alone (Sigmoid); they are divided by their sum."
    return {
        "log-odds": "The network ends in no Sigmoid: its output is taken for the log-odds of the second class.",
        "scores": "The network ends in no Softmax: its outputs are taken for scores, and Softmax is applied to them.",
        "probability": "The network's output is between 0 and 1: it is taken for the probability of the second class.",
        "probabilities": "The network's outputs are probabilities (from 0 to 1, with the sum 1), and taken as such.",
    }.get(meaning, "")
