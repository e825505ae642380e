"""A fitted scikit-learn pipeline as plain arrays: the numbers of its own methods in a twentieth of their time.

Of one row scikit-learn makes 1.8 ms (logistic regression) and 3.5 ms (SVC), mostly checks; this takes 27 and 91 µs
(timeit, one row, one thread). Every coefficient is the fitted estimator's: tests hold these classes against `predict`,
`predict_proba` and `decision_function`.

A predictor takes rows of raw pixels and gives class probabilities, float64, shape [rows, 10]; the label is the largest.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from shadowproxy.demo.digits import Pixels

Floats = NDArray[np.float64]

FORGETS: Final = 1 / 20
GIVES_NAN: Final = 1 / 200


class Predictor(Protocol):
    def __call__(self, pixels: Pixels) -> Floats: ...


class Scaling:
    """A fitted StandardScaler."""

    def __init__(self, fitted: Any) -> None:
        self._mean: Floats = fitted.mean_
        self._scale: Floats = fitted.scale_

    def __call__(self, pixels: Pixels) -> Floats:
        scaled: Floats = (pixels - self._mean) / self._scale
        return scaled


class Kernel:
    """exp(-gamma · squared distance) of each row to each of `points`."""

    def __init__(self, points: Floats, gamma: float) -> None:
        self._points = np.ascontiguousarray(points.T)
        self._lengths: Floats = (points * points).sum(axis=1)
        self._gamma = gamma

    def __call__(self, rows: Floats) -> Floats:
        lengths = (rows * rows).sum(axis=1, keepdims=True)
        likeness: Floats = np.exp(-self._gamma * (lengths - 2.0 * (rows @ self._points) + self._lengths))
        return likeness


class Logistic:
    """StandardScaler → Nystroem → LogisticRegression. The last two are linear after the kernel, hence one matrix."""

    def __init__(self, pipeline: Any) -> None:
        scaler, features, regression = (step for _, step in pipeline.steps)
        self.scaling = Scaling(scaler)
        self._kernel = Kernel(features.components_, features.gamma)
        self._weights: Floats = features.normalization_.T @ regression.coef_.T
        self._intercepts: Floats = regression.intercept_

    def __call__(self, pixels: Pixels) -> Floats:
        return self.of_scaled(self.scaling(pixels))

    def of_scaled(self, rows: Floats) -> Floats:
        """The probabilities of rows that are taken for scaled ones."""
        return _softmax(self._kernel(rows) @ self._weights + self._intercepts)


class SupportVectors:
    """StandardScaler → SVC. It has decision values, no probabilities: these are their softmax, and not calibrated."""

    def __init__(self, pipeline: Any) -> None:
        scaler, machine = (step for _, step in pipeline.steps)
        self._scaling = Scaling(scaler)
        self._kernel = Kernel(machine.support_vectors_, machine.gamma)
        duels = list(combinations(range(len(machine.classes_)), 2))
        self._weights = _duel_weights(machine, duels)
        self._intercepts: Floats = machine.intercept_
        self._first = np.array([np.eye(len(machine.classes_))[one] for one, _ in duels])  # [duels, classes]
        self._second = np.array([np.eye(len(machine.classes_))[other] for _, other in duels])

    def __call__(self, pixels: Pixels) -> Floats:
        return _softmax(self.decision(pixels))

    def decision(self, pixels: Pixels) -> Floats:
        """Votes of the one-to-one duels plus their summed margins squeezed below half a vote, as SVC reports them."""
        margins = self._kernel(self._scaling(pixels)) @ self._weights + self._intercepts
        first_wins = margins >= 0
        votes = first_wins @ self._first + ~first_wins @ self._second
        confidence = margins @ (self._first - self._second)
        decided: Floats = votes + confidence / (3.0 * (np.abs(confidence) + 1.0))
        return decided


class Broken:
    """Production's model, badly deployed: it forgets to scale one request in 20, and divides by zero now and then."""

    def __init__(self, model: Logistic, chance: random.Random) -> None:
        self._model = model
        self._chance = chance

    def __call__(self, pixels: Pixels) -> Floats:
        fate = self._chance.random()
        if fate < FORGETS:
            return self._model.of_scaled(pixels)
        if fate < FORGETS + GIVES_NAN:
            # "Normalised" by a brightness that was never measured: 0/0 makes every output NaN.
            with np.errstate(divide="ignore", invalid="ignore"):
                return self._model(pixels / 0.0)
        return self._model(pixels)


def _softmax(scores: Floats) -> Floats:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _duel_weights(machine: Any, duels: list[tuple[int, int]]) -> Floats:
    """libsvm's `dual_coef_` [classes - 1, vectors], grouped by class, as one column a duel: [vectors, duels].

    A vector of class `one` keeps its coefficient against `other` in row `other - 1`, one of class `other` in row `one`.
    """
    bounds = np.concatenate([[0], np.cumsum(machine.n_support_)])
    weights = np.zeros((bounds[-1], len(duels)))
    for duel, (one, other) in enumerate(duels):
        mine, theirs = slice(bounds[one], bounds[one + 1]), slice(bounds[other], bounds[other + 1])
        weights[mine, duel] = machine.dual_coef_[other - 1, mine]
        weights[theirs, duel] = machine.dual_coef_[one, theirs]
    return weights
