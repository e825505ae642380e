"""`workers: auto` on machines that are not this one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shadowproxy.settings.workers import cpu_quota, usable_workers, workers_for


@pytest.mark.parametrize(
    ("affinity", "quota", "workers"),
    [
        (1, None, 1),
        (2, None, 1),
        (8, None, 7),
        (8, 2.0, 1),
        (8, 2.1, 2),  # ceil(2.1) - 1
        (8, 0.5, 1),
        (2, 16.0, 1),
        (8, 4.0, 3),
    ],
)
def test_auto_leaves_one_processor_to_the_rest(affinity: int, quota: float | None, workers: int) -> None:
    assert workers_for(affinity, quota) == workers


def group(root: Path, membership: str, files: dict[str, str]) -> float | None:
    (root / "cgroup").write_text(membership)
    for name, text in files.items():
        path = root / "mount" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return cpu_quota(root / "cgroup", root / "mount")


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "150000 100000\n"}, 1.5),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000\n", "a/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/not/visible/here\n", {"cpu.max": "250000 100000\n"}, 2.5),
        ("0::/a\n", {"a/cpu.max": "max 100000\n"}, None),
        ("0::/a\n", {"a/cpu.max": "gibberish\n"}, None),
        ("0::/a\n", {}, None),
        (
            "3:cpu,cpuacct:/a\n2:memory:/a\n",
            {"cpu/a/cpu.cfs_quota_us": "150000\n", "cpu/a/cpu.cfs_period_us": "100000\n"},
            1.5,
        ),
        ("3:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_the_quota_is_the_least_of_a_group_and_its_ancestors(
    tmp_path: Path, membership: str, files: dict[str, str], quota: float | None
) -> None:
    assert group(tmp_path, membership, files) == quota


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "none", tmp_path) is None


def test_auto_is_a_number_that_this_machine_has() -> None:
    assert 1 <= usable_workers() <= max(1, len(os.sched_getaffinity(0)) - 1)
