"""The key of redaction: given, or made once and kept where nobody else reads it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from shadowproxy.recorder.secret import FILE, redaction_key


def test_a_given_key_is_taken() -> None:
    assert redaction_key("sesame", "") == (b"sesame", "")


def test_a_key_is_made_once(tmp_path: Path) -> None:
    state = tmp_path / "a" / "state"
    key, trouble = redaction_key("", str(state))
    assert (redaction_key("", str(state)), trouble) == ((key, ""), "")
    assert len(key) == 64
    assert stat.S_IMODE((state / FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [path.name for path in state.iterdir()] == [FILE]
    assert redaction_key("", str(tmp_path / "b")) != (key, "")


def test_a_key_that_others_could_read_is_closed(tmp_path: Path) -> None:
    redaction_key("", str(tmp_path))
    (tmp_path / FILE).chmod(0o644)
    redaction_key("", str(tmp_path))
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def spoiled_by_a_short_key(state: Path) -> None:
    (state / FILE).write_bytes(b"short")


def spoiled_by_a_link(state: Path) -> None:
    (state / FILE).symlink_to(state / "elsewhere")


def spoiled_by_a_directory(state: Path) -> None:
    (state / FILE).mkdir()


@pytest.mark.parametrize("spoil", [spoiled_by_a_short_key, spoiled_by_a_link, spoiled_by_a_directory])
def test_a_key_that_cannot_be_kept_hides_all_the_same(tmp_path: Path, spoil: object) -> None:
    spoil(tmp_path)  # type: ignore[operator]
    key, trouble = redaction_key("", str(tmp_path))
    assert len(key) == 32
    assert str(tmp_path / FILE) in trouble
    assert redaction_key("", str(tmp_path)).key != key


def test_without_a_state_directory_the_key_lasts_as_long_as_the_process() -> None:
    key, trouble = redaction_key("", "")
    assert (len(key), trouble) == (32, "there is no state directory")
