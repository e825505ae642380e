"""Children say how they ended, and none outlives the demo."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shadowproxy.demo.children import Child, Children
from shadowproxy.demo.errors import DemoError
from tests.support.processes import is_alive
from tests.support.until import until

PARENT_OF_ONE = """
import subprocess, sys, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(child.pid, flush=True)
signal.pause()
"""
DEMO_OF_ONE = """
import asyncio, sys
from pathlib import Path
from shadowproxy.demo.children import Children

async def main():
    children = Children(Path(sys.argv[1]))
    child = await children.start("it", "patient", [])
    print(await child.first_line(60), flush=True)
    await child.wait()

asyncio.run(main())
"""
PATIENT = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory from which children can run modules."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


async def started(children: Children, modules: Path, source: str, **more: float) -> Child:
    (modules / "played.py").write_text(source)
    return await children.start("the player", "played", [], **more)


async def test_the_first_line_is_read(modules: Path) -> None:
    with Children(modules) as children:
        child = await started(children, modules, "print('ready 7')")
        assert await child.first_line(60) == "ready 7"


async def test_an_early_end_is_told_with_its_last_words(modules: Path) -> None:
    with Children(modules) as children:
        child = await started(children, modules, "import sys; print('no luck', file=sys.stderr); sys.exit(3)")
        with pytest.raises(DemoError, match=r"^the player ended \(exit status 3\): no luck$"):
            await child.first_line(60)


async def test_silence_has_an_end(modules: Path) -> None:
    with Children(modules) as children:
        child = await started(children, modules, "import signal; signal.pause()")
        with pytest.raises(DemoError, match=r"the player said nothing for 0\.2 s"):
            await child.first_line(0.2)


async def test_only_a_lasting_child_must_not_end(modules: Path) -> None:
    with Children(modules) as children:
        brief = await started(children, modules, "pass")
        await brief.wait()
        children.check()
        lasting = await started(children, modules, "raise SystemExit('gone')", lasting=True)
        await lasting.wait()
        with pytest.raises(DemoError, match="gone"):
            children.check()


async def test_a_child_that_ignores_sigterm_is_killed_with_its_own(modules: Path) -> None:
    with Children(modules) as children:
        child = await started(children, modules, PARENT_OF_ONE, end_within_s=0.2)
        grandchild = int(await child.first_line(60))
        assert not await child.stop()
        assert child.ended
    until(lambda: not is_alive(grandchild), what="the grandchild's end")


async def test_leaving_the_block_lets_a_child_end_by_itself_first(modules: Path) -> None:
    source = "import signal, sys; signal.signal(15, lambda *_: sys.exit(7)); print('on', flush=True); signal.pause()"
    with Children(modules) as children:
        child = await started(children, modules, source)
        await child.first_line(60)
    assert await child.wait() == 7


async def test_leaving_the_block_kills_what_is_left(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shadowproxy.demo.children._LAST_GRACE_S", 0.2)
    with Children(modules) as children:
        child = await started(children, modules, PARENT_OF_ONE)
        grandchild = int(await child.first_line(60))
    assert await child.wait() == -signal.SIGKILL
    until(lambda: not is_alive(grandchild), what="the grandchild's end")


def test_children_end_when_the_demo_is_killed(modules: Path) -> None:
    (modules / "patient.py").write_text(PATIENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(modules), str(Path(__file__).parents[2])])}
    demo = subprocess.Popen([sys.executable, "-c", DEMO_OF_ONE, str(modules)], env=environment, stdout=subprocess.PIPE)
    assert demo.stdout is not None
    child = json.loads(demo.stdout.readline())
    demo.kill()
    demo.communicate()
    until(lambda: not is_alive(child), what="the child's end")
