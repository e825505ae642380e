from __future__ import annotations

from pathlib import Path

import pytest

from shadowproxy.core.outcome import OVERLOAD
from shadowproxy.proxy.pressure import MOST, Throttling
from shadowproxy.proxy.timers import TICK_NS
from tests.proxy.world import Make

V2 = "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods {}\nnr_throttled {}\nthrottled_usec 77\n"
V1 = "nr_periods {}\nnr_throttled {}\nthrottled_time 77\n"


class Groups:
    """The kernel's files of one control group and its parent."""

    def __init__(self, folder: Path, version: int) -> None:
        self.membership = folder / "self-cgroup"
        self.mount = folder / "mount"
        self._text = V2 if version == 2 else V1
        root = self.mount if version == 2 else self.mount / "cpu"
        self.files = {name: root / path / "cpu.stat" for name, path in (("own", "pod/app"), ("parent", "pod"))}
        for file in self.files.values():
            file.parent.mkdir(parents=True, exist_ok=True)
        self.membership.write_text("0::/pod/app\n" if version == 2 else "3:cpuset:/\n1:cpu,cpuacct:/pod/app\n0::/\n")
        for name in self.files:
            self.say(name, 100, 10)

    def say(self, name: str, periods: int, stopped: int) -> None:
        self.files[name].write_text(self._text.format(periods, stopped))


@pytest.mark.parametrize("version", [1, 2])
def test_the_share_is_of_the_periods_since_the_last_look(tmp_path: Path, version: int) -> None:
    groups = Groups(tmp_path, version)
    throttling = Throttling(groups.membership, groups.mount)
    assert throttling.share() == 0.0
    groups.say("own", 110, 13)
    assert throttling.share() == 0.3
    assert throttling.share() == 0.0
    groups.say("own", 120, 13)
    assert throttling.share() == 0.0
    throttling.close()


def test_an_ancestor_s_quota_counts_as_the_group_s_own(tmp_path: Path) -> None:
    groups = Groups(tmp_path, 2)
    throttling = Throttling(groups.membership, groups.mount)
    groups.say("own", 110, 11)
    groups.say("parent", 110, 15)
    assert throttling.share() == 0.5
    throttling.close()


@pytest.mark.parametrize("text", ["", "usage_usec 5\n", "nr_periods many\nnr_throttled 1\n"])
def test_where_the_kernel_says_nothing_there_is_no_pressure(tmp_path: Path, text: str) -> None:
    groups = Groups(tmp_path, 2)
    for file in groups.files.values():
        file.write_text(text)
    throttling = Throttling(groups.membership, groups.mount)
    groups.say("own", 900, 900)
    assert throttling.share() == 0.0
    assert Throttling(tmp_path / "missing", tmp_path).share() == 0.0


async def test_a_worker_whose_quota_is_used_up_sheds_copies_until_it_is_not(make: Make) -> None:
    world = make()
    shares = iter([MOST + 0.01, 0.0])
    world.worker.throttling.share = lambda: next(shares)  # type: ignore[method-assign]
    seen = []
    for _ in range(2):
        world.worker._next_pools = 0.0
        world.clock.now += TICK_NS
        world.worker._sweep()
        seen.append(world.worker.shedding())
    assert seen == [OVERLOAD, 0]
    assert world.worker._timer is not None
    world.worker._timer.cancel()


async def test_a_worker_whose_loop_is_late_twice_running_sheds_copies(make: Make) -> None:
    world = make()
    seen = []
    for late in (1, 3, 3, 3, 1):
        world.clock.now += late * TICK_NS
        world.worker._sweep()
        seen.append(world.worker.shedding())
        assert world.worker._timer is not None
        world.worker._timer.cancel()
    assert seen == [0, 0, OVERLOAD, OVERLOAD, 0]
