"""A figure says what it was measured on."""

from __future__ import annotations

import platform
import sys

from bench import machine


def test_a_version_is_what_the_program_says_of_itself() -> None:
    facts = machine.describe(sys.executable)
    assert facts["machine"].endswith(f"Linux {platform.release()}")
    assert list(facts.values())[-1] == platform.python_version()


def test_facts_are_one_line_each() -> None:
    assert machine.lines({"machine": "m", "command": "c"}) == "- machine: m\n- command: c"
