"""`run` as people start it: flags, banner or event, and exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import builds
from shadowproxy.cli.run import command
from shadowproxy.settings.overrides import Overrides
from tests.support.processes import family, is_alive
from tests.support.until import until

FLAGS = ["--production", "http://127.0.0.1:9", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]


@contextmanager
def run(folder: Path, *arguments: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "shadowproxy", "run", "--pairs", str(folder / "pairs"), *arguments],
        cwd=folder,
        env={**builds.environment(), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for pid in [process.pid, *(child.pid for child in family(process.pid))]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(60)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def config(folder: Path) -> list[str]:
    (folder / "quick.yaml").write_text("production: {url: 'http://127.0.0.1:9'}\nlimits: {drain_delay: 0s}\n")
    return ["-c", "quick.yaml", *FLAGS]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_events_are_json_off_a_terminal_and_a_signal_ends_it_with_0(tmp_path: Path, number: int) -> None:
    with run(tmp_path, *config(tmp_path), "--candidate", "v2=http://127.0.0.1:10", "--sample", "25%") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        events = []
        for line in process.stderr:
            if line.startswith(b"{"):
                events.append(json.loads(line))
                if events[-1]["event"] == "proxy.ready":
                    break
        ready = events[-1]
        assert list(ready)[:4] == ["ts", "level", "process", "event"]
        assert ready["candidates"] == {"v2": {"url": "http://127.0.0.1:10", "sample": 0.25}}
        assert ready["pairs"] == str(tmp_path / "pairs")
        with socket.create_connection(ready["listen"].rsplit(":", 1), timeout=60):
            pass
        children = [child.pid for child in family(process.pid)]
        assert len(children) >= 2
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert out == b""  # stdout is for results
        assert [pid for pid in children if is_alive(pid)] == []


def test_people_on_a_terminal_get_the_banner(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with run(tmp_path, *config(tmp_path), stderr=theirs) as process:
        os.close(theirs)
        text = b""
        while b"held for mirroring" not in text:
            text += os.read(ours, 65536)
        lines = [line for line in text.decode().splitlines() if "[warning" not in line]
        start = next(number for number, line in enumerate(lines) if line.startswith("shadowproxy "))
        assert " listens on http://127.0.0.1:" in lines[start]
        assert [line.split()[0] for line in lines[start + 1 : start + 6]] == [
            "admin",
            "production",
            "candidates",
            "pair",
            "limits",
        ]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    os.close(ours)


def test_an_address_in_use_is_one_sentence_and_exit_4(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for flag in ("--listen", "--admin"):
            with run(tmp_path, *FLAGS, flag, address) as process:
                _, err = process.communicate(timeout=60)
                assert process.returncode == 4
                told = (
                    f"error: cannot listen on {address}: another process listens there; stop it or choose another port"
                )
                assert err.decode().splitlines() == [told]


def test_a_configuration_error_is_exit_2_and_names_the_flag(tmp_path: Path) -> None:
    with run(tmp_path, *FLAGS, "--sample", "5") as process:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 2
        assert err.decode().startswith("--sample: ")
        assert "Traceback" not in err.decode()


def test_a_bad_file_at_a_hang_up_changes_nothing_and_is_told(tmp_path: Path) -> None:
    with run(tmp_path, *config(tmp_path)) as process:
        assert process.stderr is not None

        def event(name: str) -> dict[str, object]:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(b"{") and json.loads(line)["event"] == name:
                    return dict(json.loads(line))
            raise AssertionError(f"no event {name}")

        event("proxy.ready")
        (tmp_path / "quick.yaml").write_text("production: {url: 'http://127.0.0.1:9'}\nlimit: {}\n")
        process.send_signal(signal.SIGHUP)
        assert "quick.yaml:2: limit: " in str(event("reload.refused")["problems"])
        (tmp_path / "quick.yaml").unlink()
        process.send_signal(signal.SIGHUP)
        assert event("reload.refused")["problems"] == ["quick.yaml: No such file or directory"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        until(lambda: not family(process.pid), 5)


def test_a_signal_while_it_begins_is_no_failure(tmp_path: Path) -> None:
    with run(tmp_path, *config(tmp_path)) as process:
        until(lambda: _catches_sigterm(process.pid), 10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_signal_within_a_string_that_is_executed_is_no_failure_either(tmp_path: Path) -> None:
    """As importing a module with a named tuple does."""
    (tmp_path / "told.py").write_text(
        "import os, signal, sys\n"
        "from shadowproxy.cli import main, run\n"
        "run._run = lambda *_: exec('os.kill(os.getpid(), signal.SIGTERM)\\nfor _ in range(100): pass', globals())\n"
        "sys.argv = ['shadowproxy', 'run']\n"
        "main()\n"
    )
    environment = builds.environment()
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    done = subprocess.run([sys.executable, "-m", "told"], env=environment, timeout=60, check=False)
    assert done.returncode == 0


def _catches_sigterm(pid: int) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_every_flag_of_the_contract_is_there_and_reaches_the_settings() -> None:
    options = {name for parameter in command.params for name in parameter.opts}
    assert options == {
        "-c", "--config", "--listen", "--production", "--candidate", "--twin", "--sample", "--expect", "--admin",
        "--pairs", "--workers", "--log-format",
    }  # fmt: skip
    names = {parameter.name for parameter in command.params} - {"config"}
    assert names == set(Overrides.__dataclass_fields__)


def test_help_tells_the_defaults() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert all(default in text for default in ("127.0.0.1:8080", "127.0.0.1:9900", "./shadow-pairs", "100%"))
