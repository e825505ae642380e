"""What the demo claims of its models is what they do on its traffic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from shadowproxy.demo.training import Measured, read_traffic


def test_the_svm_is_right_more_often_and_disagrees_on_about_three_percent(trained: Path) -> None:
    measured = Measured(**json.loads((trained / "measured.json").read_text()))
    assert measured.svm_right - measured.logistic_right > 0.015
    assert 0.025 < measured.disagree < 0.035
    assert (measured.learnt_from, measured.held_out) == (1257, 540)


def test_traffic_is_every_held_out_digit_in_each_slip(trained: Path) -> None:
    traffic = read_traffic(trained)
    assert traffic.pixels.shape == (4 * 540, 64)
    assert traffic.labels.shape == (4 * 540,)
    np.testing.assert_array_equal(traffic.pixels, np.rint(traffic.pixels))
    assert traffic.pixels.min() == 0
    assert traffic.pixels.max() == 16
