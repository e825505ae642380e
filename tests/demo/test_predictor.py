"""The array forms say what scikit-learn says, row by row as they are served, and break only where they are meant to."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shadowproxy.demo.digits import SLIPS, Pixels, with_slips
from shadowproxy.demo.predictor import FORGETS, GIVES_NAN, Broken, Floats, Logistic, Predictor, SupportVectors
from shadowproxy.demo.training import LOGISTIC, SVM, Fitted, fit
from tests.demo.conftest import ROOT


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit()


@pytest.fixture(scope="module")
def pixels(fitted: Fitted) -> Pixels:
    return with_slips(fitted.held_out, SLIPS).pixels


@pytest.fixture(scope="module")
def logistic(fitted: Fitted) -> Any:
    return fitted.logistic


@pytest.fixture(scope="module")
def svm(fitted: Fitted) -> Any:
    return fitted.svm


def one_by_one(predict: Predictor, pixels: Pixels) -> Floats:
    return np.vstack([predict(pixels[row : row + 1]) for row in range(len(pixels))])


def test_logistic_regression_is_the_fitted_one(logistic: Any, pixels: Pixels) -> None:
    served = one_by_one(Logistic(logistic), pixels)
    assert served.argmax(axis=1).tolist() == logistic.predict(pixels).tolist()
    assert served == pytest.approx(logistic.predict_proba(pixels), rel=1e-7, abs=1e-12)


def test_the_svm_is_the_fitted_one(svm: Any, pixels: Pixels) -> None:
    served = one_by_one(SupportVectors(svm), pixels)
    assert served.argmax(axis=1).tolist() == svm.predict(pixels).tolist()
    assert served.sum(axis=1) == pytest.approx(np.ones(len(pixels)), rel=1e-7)


def test_the_svm_reports_the_fitted_decision_values(svm: Any, pixels: Pixels) -> None:
    expected = svm.decision_function(pixels)
    assert SupportVectors(svm).decision(pixels) == pytest.approx(expected, rel=1e-7, abs=1e-10)


@pytest.mark.parametrize("model", [LOGISTIC, SVM])
def test_what_servers_load_needs_no_scikit_learn(trained: Path, model: str) -> None:
    load = f"import sys; sys.modules['sklearn'] = None; import joblib; print(joblib.load({str(trained / model)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", load], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert "shadowproxy.demo.predictor" in done.stdout


def test_the_broken_model_is_production_but_for_its_faults(logistic: Any, pixels: Pixels) -> None:
    model = Logistic(logistic)
    broken = Broken(model, random.Random(1))
    rows = 4000
    asked = np.resize(pixels, (rows, pixels.shape[1]))
    good, served = one_by_one(model, asked), one_by_one(broken, asked)

    has_nan = np.isnan(served).any(axis=1)
    np.testing.assert_array_equal(np.isnan(served).all(axis=1), has_nan)
    unscaled = np.isclose(served, model.of_scaled(asked)).all(axis=1)
    np.testing.assert_array_equal(served[~has_nan & ~unscaled], good[~has_nan & ~unscaled])
    # Binomial, four standard deviations: 200 ± 55 of 4,000 and 20 ± 18.
    assert abs(int(unscaled.sum()) - rows * FORGETS) < 55
    assert abs(int(has_nan.sum()) - rows * GIVES_NAN) < 18


def test_forgotten_scaling_changes_most_decisions(logistic: Any, pixels: Pixels) -> None:
    model = Logistic(logistic)
    changed = model.of_scaled(pixels).argmax(axis=1) != model(pixels).argmax(axis=1)
    assert changed.mean() > 0.8
