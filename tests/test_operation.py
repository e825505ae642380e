"""The examples of how to run it: what the unit and the manifests say fits what the proxy does."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shadowproxy.cli.group import COMMANDS
from shadowproxy.settings.load import load
from shadowproxy.settings.snapshot import Snapshot
from shadowproxy.settings.units import parse_size
from shadowproxy.supervisor.seat import Patience

REPOSITORY = Path(__file__).resolve().parents[1]
UNIT = REPOSITORY / "config" / "systemd" / "shadowproxy.service"
MANIFESTS = sorted((REPOSITORY / "config" / "kubernetes").glob("*.yaml"))
USER = 10001


def least_stop_s(snapshot: Snapshot) -> float:
    """What a stop may take in good order: the drain, the workers' and the recorder's farewell."""
    return snapshot.limits.drain_delay + snapshot.limits.drain + Patience().recorder_drain


# -- systemd -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(UNIT)
    return unit["Service"]


def test_the_unit_lets_a_drain_finish_and_signals_the_supervisor_alone(service: configparser.SectionProxy) -> None:
    assert (service["KillMode"], service["KillSignal"]) == ("mixed", "SIGTERM")
    snapshot = load(str(REPOSITORY / "config" / "minimal.yaml"), None, {})
    assert float(service["TimeoutStopSec"]) > least_stop_s(snapshot.snapshot)
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert "MemoryMax" in service
    assert service["NoNewPrivileges"] == "yes"


def test_the_unit_calls_commands_that_there_are(service: configparser.SectionProxy) -> None:
    for key in ("ExecStart", "ExecStartPre"):
        program, command, *_ = service[key].split()
        assert Path(program).name == "shadowproxy"
        assert command in COMMANDS


def test_the_user_that_systemd_makes_up_can_read_the_configuration(service: configparser.SectionProxy) -> None:
    assert service["DynamicUser"] == "yes"  # in no group of anybody's
    [mode] = re.findall(r"^# +install -D -m (0\d{3}) shadowproxy.yaml", UNIT.read_text(), re.MULTILINE)
    assert int(mode, 8) & 0o004


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is missing: install the Debian package systemd")
    program = tmp_path / "shadowproxy"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"/var/lib/shadowproxy-venv/bin/shadowproxy", str(program), UNIT.read_text()))
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:", "SYSTEMD_LOG_LEVEL": "warning"}
    command = [tool, "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert UNIT.name not in done.stderr, done.stderr


# -- Kubernetes --------------------------------------------------------------------------------------------------------


def documents(path: Path) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(path.read_text())


def kind(path: Path, wanted: str) -> dict[str, Any]:
    return next(document for document in documents(path) if document["kind"] == wanted)


def configured(path: Path, folder: Path) -> Snapshot:
    """The configuration in the manifest, as the proxy reads it."""
    file = folder / "shadowproxy.yaml"
    file.write_text(kind(path, "ConfigMap")["data"]["shadowproxy.yaml"])
    return load(str(file), None, {"SHADOWPROXY_ADMIN_TOKEN": "correct-horse"}).snapshot


def pod(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = kind(path, "Deployment")["spec"]["template"]["spec"]
    return found


def container(path: Path) -> dict[str, Any]:
    spec = pod(path)
    return next(one for one in [*spec["containers"], *spec.get("initContainers", ())] if one["name"] == "shadowproxy")


PLACES = pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)


def test_there_is_a_manifest_for_each_way() -> None:
    assert [path.stem for path in MANIFESTS] == ["sidecar", "standalone"]


@PLACES
def test_a_drain_fits_into_the_grace_period(path: Path, tmp_path: Path) -> None:
    assert pod(path)["terminationGracePeriodSeconds"] > least_stop_s(configured(path, tmp_path))


@PLACES
def test_probes_ask_what_there_is_on_the_admin_port(path: Path, tmp_path: Path) -> None:
    snapshot, one = configured(path, tmp_path), container(path)
    ports = {port["name"]: port["containerPort"] for port in one["ports"]}
    assert snapshot.admin.listen == f"0.0.0.0:{ports['admin']}"
    assert snapshot.listen == f"0.0.0.0:{ports['http']}"
    assert snapshot.admin.token  # off loopback it needs one; probes do not
    probes = {name: one[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in probes.values()} == {"admin"}
    assert probes["livenessProbe"]["path"] == "/livez"  # what is alive and not ready is not restarted
    assert probes["readinessProbe"]["path"] == "/readyz"
    service = kind(path, "Service")["spec"]["ports"]
    assert [port["targetPort"] for port in service] == ["http"]  # the admin port is nobody else's


@PLACES
def test_it_needs_no_root_and_writes_to_its_volumes_alone(path: Path, tmp_path: Path) -> None:
    snapshot, one, spec = configured(path, tmp_path), container(path), pod(path)
    context = {**spec.get("securityContext", {}), **one["securityContext"]}
    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, USER)
    assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
    assert context["capabilities"] == {"drop": ["ALL"]}
    written = {mount["mountPath"] for mount in one["volumeMounts"] if not mount.get("readOnly")}
    assert {snapshot.pairs.dir, snapshot.state} <= written
    volumes = {volume["name"] for volume in spec["volumes"]}
    assert {mount["name"] for mount in one["volumeMounts"]} <= volumes


@PLACES
def test_memory_has_a_ceiling_above_what_the_settings_allow(path: Path, tmp_path: Path) -> None:
    snapshot, one = configured(path, tmp_path), container(path)
    limit = parse_size(one["resources"]["limits"]["memory"] + "B")
    assert limit > snapshot.mirror.max_buffered * 4 + (1 << 30)
    assert "cpu" not in one["resources"]["limits"]  # throttling is felt by users


def test_a_sidecar_starts_before_the_model_and_the_log_fits_its_volume(tmp_path: Path) -> None:
    path = next(path for path in MANIFESTS if path.stem == "sidecar")
    snapshot, spec = configured(path, tmp_path), pod(path)
    (sidecar,) = spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert snapshot.production.urls == ("http://127.0.0.1:9001",)
    pairs = next(volume for volume in spec["volumes"] if volume["name"] == "pairs")
    assert parse_size(pairs["emptyDir"]["sizeLimit"] + "B") > snapshot.pairs.keep.size


# -- the pages ---------------------------------------------------------------------------------------------------------


def test_every_command_is_in_the_operators_page() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    steering = [name for name, entry in COMMANDS.items() if "remote" in _source(entry.module)]
    assert len(steering) >= 13
    assert [name for name in steering if f"`{name}" not in page] == []


def _source(module: str) -> str:
    return (REPOSITORY / (module.replace(".", "/") + ".py")).read_text()
