"""Fits the demo's models, as a process of its own so that it can be stopped at any moment.

    python -m shadowproxy.demo.training DIRECTORY

It leaves in DIRECTORY `logistic.joblib` and `svm.joblib` (predictors: the fitted coefficients, which load without
scikit-learn) and `traffic.npz` (`pixels`, `labels`: every held-out digit in each of its slips), and prints what it
measured on that traffic as one line of JSON.

Production is a logistic regression on random-kernel features of scaled pixels, the candidate a support-vector machine
on scaled pixels. Both learn from the digits as they are and from each slip of them. `docs/demo.md` says how the
hyper-parameters were chosen.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from shadowproxy.demo.digits import SLIPS, Digits, split, with_slips
from shadowproxy.demo.predictor import Logistic, SupportVectors

SEED: Final = 7
LOGISTIC: Final = "logistic.joblib"
SVM: Final = "svm.joblib"
TRAFFIC: Final = "traffic.npz"


@dataclass(frozen=True, slots=True)
class Measured:
    """On the traffic, each held-out digit in each of its slips. Shares are 0…1."""

    learnt_from: int
    held_out: int
    logistic_right: float
    svm_right: float
    disagree: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """Two fitted pipelines, how many digits they learnt from, and those that they never saw."""

    logistic: Any
    svm: Any
    learnt_from: int
    held_out: Digits


def logistic_regression(seed: int) -> Any:
    """Not fitted. The features are 400 random support points of a Gaussian kernel (Nyström)."""
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = Nystroem(gamma=0.01, n_components=400, random_state=seed)
    return make_pipeline(StandardScaler(), features, LogisticRegression(C=10.0, max_iter=500))


def support_vectors() -> Any:
    """Not fitted. `break_ties`: the label is the largest decision value, not the first of equal votes."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    return make_pipeline(StandardScaler(), SVC(C=10.0, gamma=0.01, break_ties=True))


def fit(seed: int = SEED) -> Fitted:
    """Both models, fitted on one thread: a thread a core took four times as long beside other work."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    known, held_out = split(seed)
    lesson = with_slips(known, ((0, 0), *SLIPS))
    with threadpool_limits(1):
        logistic = logistic_regression(seed).fit(lesson.pixels, lesson.labels)
        svm = support_vectors().fit(lesson.pixels, lesson.labels)
    return Fitted(logistic, svm, len(known), held_out)


def train(directory: Path, seed: int = SEED) -> Measured:
    """Fit both models and write what the demo needs into `directory`."""
    import joblib  # type: ignore[import-untyped]

    started = time.perf_counter()
    fitted = fit(seed)
    traffic = with_slips(fitted.held_out, SLIPS)
    joblib.dump(Logistic(fitted.logistic), directory / LOGISTIC)
    joblib.dump(SupportVectors(fitted.svm), directory / SVM)
    np.savez(directory / TRAFFIC, pixels=traffic.pixels, labels=traffic.labels)

    by_logistic, by_svm = fitted.logistic.predict(traffic.pixels), fitted.svm.predict(traffic.pixels)
    return Measured(
        learnt_from=fitted.learnt_from,
        held_out=len(fitted.held_out),
        logistic_right=float(np.mean(by_logistic == traffic.labels)),
        svm_right=float(np.mean(by_svm == traffic.labels)),
        disagree=float(np.mean(by_logistic != by_svm)),
        seconds=time.perf_counter() - started,
    )


def read_traffic(directory: Path) -> Digits:
    """What `train` left in `directory`; needs no scikit-learn."""
    with np.load(directory / TRAFFIC) as arrays:
        return Digits(arrays["pixels"], arrays["labels"])


if __name__ == "__main__":
    print(json.dumps(asdict(train(Path(sys.argv[1])))))
