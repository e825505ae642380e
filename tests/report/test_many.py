"""A large log is read otherwise than a small one, and says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.report import judged
from shadowproxy.report.render import as_json
from tests.report.test_forms import written
from tests.support.reports import report_on


def test_what_is_read_again_for_each_question_gives_the_same_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path)
    few = as_json(report_on(folder))
    monkeypatch.setattr(judged, "MANY", 0)
    assert as_json(report_on(folder)) == few
