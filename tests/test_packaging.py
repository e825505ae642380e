"""What reaches a machine that has only Python: versions, wheel, image and the tasks that install them."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import shadowproxy
from shadowproxy.settings import snapshot
from tests.support.dockerfile import Stage, stages

REPOSITORY = Path(__file__).resolve().parents[1]
MANIFEST: dict[str, Any] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))


def _pinned() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==", 1) for line in lines if line and not line.startswith("#"))


def _required() -> list[Requirement]:
    project = MANIFEST["project"]
    groups = [*project["optional-dependencies"].values(), *MANIFEST["dependency-groups"].values()]
    names = [
        *project["dependencies"],
        *MANIFEST["build-system"]["requires"],
        *(name for group in groups for name in group),
    ]
    return [Requirement(name) for name in names]


class TestConstraints:
    def test_each_line_is_one_name_and_one_version(self) -> None:
        lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert [line for line in pins if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*", line)] == []
        assert pins == sorted(set(pins), key=lambda pin: pin.split("==")[0])

    @pytest.mark.parametrize("requirement", _required(), ids=str)
    def test_each_requirement_is_pinned_within_its_range(self, requirement: Requirement) -> None:
        assert requirement.specifier.contains(_pinned()[canonicalize_name(requirement.name)])

    @pytest.mark.parametrize("tool", ["pip", "hatchling", "editables"])
    def test_the_tools_that_install_are_pinned_too(self, tool: str) -> None:
        assert tool in _pinned()


@pytest.fixture(scope="module")
def image() -> list[Stage]:
    return stages((REPOSITORY / "Dockerfile").read_text(encoding="utf-8"))


class TestDockerfile:
    def test_what_builds_is_left_behind(self, image: list[Stage]) -> None:
        assert len(image) == 2
        assert [copy.rest.split() for copy in image[-1].all("COPY")] == [[f"--from={image[0].alias}", "/venv", "/venv"]]

    def test_both_stages_are_one_slim_python_of_a_supported_version_from_the_engine_s_own_registry(
        self, image: list[Stage]
    ) -> None:
        assert {stage.image for stage in image} == {image[0].image}
        name, _, version = image[0].image.removesuffix("-slim").partition(":")
        assert (name, image[0].image.endswith("-slim")) == ("python", True)
        assert f"Programming Language :: Python :: {version}" in MANIFEST["project"]["classifiers"]

    def test_dependencies_are_wheels_at_the_tested_versions(self, image: list[Stage]) -> None:
        runs = " && ".join(run.rest for run in image[0].all("RUN"))
        installs = [
            step for step in runs.split("&&") if re.search(r"\bpip .*install\b", step) and "--upgrade pip" not in step
        ]
        assert len(installs) == 1
        assert "--only-binary :all:" in installs[0]
        assert "--constraint constraints.txt" in installs[0]

    def test_what_a_request_passes_through_is_compiled_or_the_build_fails(self, image: list[Stage]) -> None:
        runs = " && ".join(run.rest for run in image[0].all("RUN"))
        assert re.search(r"apt-get install [^&]*\bgcc\b.*SHADOWPROXY_COMPILE=1 pip wheel", runs)
        assert any("hatch_build.py" in copy.rest.split() for copy in image[0].all("COPY"))

    def test_it_runs_as_a_fixed_number_that_is_not_root(self, image: list[Stage]) -> None:
        user, group = image[-1].last("USER").rest.split(":")
        assert int(user) > 0
        assert int(group) > 0

    def test_it_writes_to_the_log_and_the_state_alone(self, image: list[Stage]) -> None:
        place = image[-1].last("WORKDIR").rest
        volumes = image[-1].last("VOLUME").words()
        assert volumes == [f"{place}/shadow-pairs", f"{place}/shadow-state"]
        owner = image[-1].last("USER").rest.split(":")[0]
        made = next(run.rest for run in image[-1].all("RUN") if "install --directory" in run.rest)
        assert f"--owner {owner}" in made
        assert all(volume in made for volume in volumes)

    def test_signals_reach_the_supervisor(self, image: list[Stage]) -> None:
        assert image[-1].last("ENTRYPOINT").words() == ["shadowproxy"]
        assert (image[-1].last("CMD").words() or [""])[0] == "run"
        assert image[-1].last("STOPSIGNAL").rest == "SIGTERM"

    def test_it_says_what_it_is(self, image: list[Stage]) -> None:
        labels = image[-1].last("LABEL").rest
        assert f'licenses="{MANIFEST["project"]["license"]}"' in labels
        assert MANIFEST["project"]["description"] in labels

    def test_the_context_holds_all_that_is_copied(self, image: list[Stage]) -> None:
        allowed = {
            line.removeprefix("!")
            for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
            if line.startswith("!")
        }
        copied = {source.removeprefix("./") for copy in image[0].all("COPY") for source in copy.rest.split()[:-1]}
        assert copied == allowed
        assert [name for name in copied if not (REPOSITORY / name).exists()] == []

    @pytest.mark.parametrize(("status", "healthy"), [(b"200 OK", True), (b"503 Service Unavailable", False)])
    async def test_the_health_check_follows_livez(self, image: list[Stage], status: bytes, healthy: bool) -> None:
        async with _answering(status) as (port, asked):
            assert (await _check_health(image, port) == 0) is healthy
        assert asked == [b"GET /livez HTTP/1.1"]

    async def test_the_health_check_fails_where_nothing_listens(self, image: list[Stage]) -> None:
        async with _answering(b"200 OK") as (port, _):
            pass
        assert await _check_health(image, port) != 0

    def test_the_health_check_asks_the_default_admin_port(self, image: list[Stage]) -> None:
        host, _, port = (snapshot.Admin().listen or "").rpartition(":")
        assert f"'{host}', {port}," in image[-1].last("HEALTHCHECK").rest


async def _check_health(image: list[Stage], port: int) -> int:
    instruction = image[-1].last("HEALTHCHECK")
    command = type(instruction)("CMD", instruction.rest.partition(" CMD ")[2]).words()
    assert command is not None
    assert command[0] == "python"
    words = [sys.executable, *(word.replace(" 9900,", f" {port},") for word in command[1:])]
    # A proxy in the environment must not be asked in our place.
    environment = {"http_proxy": "http://127.0.0.1:9", "PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(*words, env=environment, stderr=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(process.wait(), 60)


@asynccontextmanager
async def _answering(status: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.partition(b"\r\n")[0])
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


class TestMake:
    """The messages of a machine that cannot do it; the rest is what runs these tests."""

    def _make(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "--no-print-directory", *words],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_names_every_target(self) -> None:
        described = set(re.findall(r"^make ([\w-]+)", self._make("help").stdout, re.M))
        benches = {"bench", "bench-proof", "bench-quick"}
        assert described == {"demo", "test", "lint", "compiled", "campaign", "clean", "honesty", *benches}

    def test_an_interpreter_that_is_not_there(self, tmp_path: Path) -> None:
        said = self._make("test", f"VENV={tmp_path / 'venv'}", "PYTHON=no-such-python")
        assert (said.returncode, "no 'no-such-python' here" in said.stderr) == (2, True)

    def test_an_interpreter_that_is_too_old(self, tmp_path: Path) -> None:
        said = self._make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={_fake(tmp_path, old=True)}")
        assert (said.returncode, "is Python 3.10.1: Python 3.11 or newer is needed" in said.stderr) == (2, True)

    def test_an_interpreter_without_venv(self, tmp_path: Path) -> None:
        said = self._make("test", f"VENV={tmp_path / 'venv'}", f"PYTHON={_fake(tmp_path, old=False)}")
        assert (said.returncode, "apt-get install python3-venv" in said.stderr) == (2, True)
        assert not (tmp_path / "venv").exists()


def _fake(directory: Path, *, old: bool) -> Path:
    """A python that says its version, and fails at the version check (old) or at `import venv` (not old)."""
    failing, version = ("version_info", "3.10.1") if old else ("import ensurepip", "3.11.2")
    script = directory / "python"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in -V) echo "Python {version}" ;; *"{failing}"*) exit 1 ;; esac\n', encoding="utf-8"
    )
    script.chmod(0o755)
    return script


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--wheel-dir", str(to), str(REPOSITORY))
    return next(to.glob("shadowproxy-*.whl"))


@pytest.fixture
def empty() -> Iterator[Path]:
    """Where an environment will be; not in tmp_path, which would keep its 250 MB for the next runs to see."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place) / "venv"


class TestWheel:
    """The image's steps without an engine: a wheel, an empty environment, the console script from another directory."""

    def test_holds_the_package_its_licence_and_nothing_else(self, wheel: Path) -> None:
        names = zipfile.ZipFile(wheel).namelist()
        information = f"shadowproxy-{shadowproxy.__version__}.dist-info"
        assert {name.split("/")[0] for name in names} == {"shadowproxy", information}
        wanted = {"shadowproxy/py.typed", f"{information}/licenses/LICENSE", f"{information}/licenses/NOTICE"}
        assert wanted <= set(names)

    @pytest.mark.timeout(300)
    def test_runs_from_an_empty_environment_with_the_tested_versions(self, wheel: Path, empty: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True, timeout=60)
        only_wheels = ["--only-binary", ":all:", "--constraint", str(REPOSITORY / "constraints.txt")]
        _pip("--python", str(empty / "bin" / "python"), "install", "--no-compile", *only_wheels, str(wheel))
        script = str(empty / "bin" / "shadowproxy")
        version, helped = (
            subprocess.run([script, flag], cwd=empty.parent, capture_output=True, text=True, timeout=60, check=False)
            for flag in ("--version", "--help")
        )
        assert (version.returncode, shadowproxy.__version__ in version.stdout) == (0, True), version.stderr
        assert (helped.returncode, "run" in helped.stdout) == (0, True), helped.stderr


def _pip(*words: str) -> None:
    """pip as the image uses it; skips when it cannot reach where packages come from."""
    pin = str(REPOSITORY / "constraints.txt")
    # Older pip pins builds by the first name, pip from 25.3 by the second.
    # Compiling takes a minute: test_compiled.py tries it.
    more = {"PIP_CONSTRAINT": pin, "PIP_BUILD_CONSTRAINT": pin, "SHADOWPROXY_COMPILE": "0"}
    environment: Mapping[str, str] = {**os.environ, **more}
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    out_of_reach = (
        "Temporary failure in name resolution",
        "NewConnectionError",
        "No matching distribution",
        "ProxyError",
    )
    if any(sign in done.stderr for sign in out_of_reach):
        pytest.skip(f"pip finds no packages from this machine: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
