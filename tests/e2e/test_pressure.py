"""A worker that the kernel stops for want of CPU quota gives the mirror up first, and takes it up again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.load import Load, returns_the_body
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Upstream


class Group:
    """A control group with a CPU quota of its own, below the one that this process is in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_v2 = (folder / "cpu.max").exists()

    def allow(self, share: float) -> None:
        """Of one CPU."""
        quota, period = round(share * 100_000), 100_000
        if self.is_v2:
            (self.folder / "cpu.max").write_text(f"{quota} {period}")
        else:
            (self.folder / "cpu.cfs_period_us").write_text(str(period))
            (self.folder / "cpu.cfs_quota_us").write_text(str(quota))

    @contextmanager
    def joined(self) -> Iterator[None]:
        """What this process starts within the block begins in the group."""
        pid = str(os.getpid())
        (self.folder / "cgroup.procs").write_text(pid)
        try:
            yield
        finally:
            (self.folder.parent / "cgroup.procs").write_text(pid)

    def is_empty(self) -> bool:
        return not (self.folder / "cgroup.procs").read_text().strip()


def _own_group() -> Path:
    """Where this process is, as far as the CPU is concerned."""
    mount = Path("/sys/fs/cgroup")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return mount / "cpu" / path.lstrip("/")
        if not controllers:
            mount_v2 = mount / path.lstrip("/")
    return mount_v2


@contextmanager
def quota_group() -> Iterator[Group]:
    folder = _own_group() / f"shadowproxy-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as refused:
        pytest.skip(f"no control group can be made here (root and a writable /sys/fs/cgroup are needed): {refused}")
    group = Group(folder)
    try:
        group.allow(1.0)
    except OSError as refused:
        folder.rmdir()
        pytest.skip(f"control groups have no CPU quota here: {refused}")
    try:
        yield group
    finally:
        until(group.is_empty, 10, "an empty control group")
        folder.rmdir()


def test_a_worker_without_cpu_quota_sheds_copies_and_no_answers(tmp_path: Path) -> None:
    with (
        quota_group() as group,
        Upstream(returns_the_body) as production,
        Upstream(returns_the_body) as candidate,
    ):
        config = {
            "production": {"url": production.url},
            "candidates": [{"name": "v2", "url": candidate.url, "max_in_flight": 1000}],
            "mirror": {"shed": True},
        }
        # The whole proxy lives in the group from its start: a worker looks where it is only once.
        with Proxy(tmp_path, config, start=False) as proxy:
            with group.joined():
                proxy.start()
            load = Load(proxy.address, clients=4)
            until(lambda: load.count > 50, 20, "answers")
            group.allow(0.05)
            shed = 'shadowproxy_mirror_dropped_total{candidate="v2",reason="overload"}'
            until(lambda: proxy.metrics().get(shed, 0) > 0, 30, "copies that were shed", step_s=0.5)
            group.allow(1.0)
            before = len(candidate.requests)
            until(lambda: len(candidate.requests) > before + 50, 20, "copies again")
            load.stop()
            load.wait()
            assert load.lost == []
