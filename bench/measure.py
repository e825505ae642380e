"""One measurement: models, proxy and load started afresh, one window, everything stopped again.

CPU per request is the scheduler's own count for a process tree over the window, divided by the answers that arrived in
it. What would make a proxy look cheap for the wrong reason is measured beside it: answers that are not 200, copies
that the candidate never got, pairs that are not on disk, and CPU that processes other than ours took.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import ProxyHandler, build_opener

from bench import aiohttp_proxy, envoy, haproxy, nginx, shadow
from bench.cores import busy_s, cpu_ns, pinned, tree
from bench.failure import MeasurementError
from bench.offer import offered
from bench.programs import find
from bench.scenarios import TARGET, Scenario, request_for
from shadowproxy.admin.verdicts import FIRST_S
from shadowproxy.bench.address import parse
from shadowproxy.bench.plan import Plan

OURS = ("shadowproxy", "shadowproxy-interpreted")
_READY_S = 30.0
_SETTLED_OVER_S = 0.25
_SETTLED_SHARE = 0.04  # of a core
# Where there are pairs by FIRST_S a verdict is sought then, for half a second on the proxy's core, and after that when
# a bucket ends. In a window of 2 s the first would count for ten times as much as in traffic that goes on.
_BEHIND_THE_FIRST_VERDICT_S = FIRST_S + 0.5
_CLONE = Path(__file__).parent.parent  # `python -m` finds the package here, installed or not


@dataclass(frozen=True, slots=True)
class Load:
    """`rate_per_s` None: as fast as answers come."""

    rate_per_s: float | None
    warmup_s: float
    window_s: float
    connections: int = 32
    proxy_core: int = 0
    load_core: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """`cpu_us` is per request, by process role. Shares are of the requests sent, None where they make no sense."""

    scenario: str
    proxy: str
    rate_per_s: float | None
    answers_per_s: float
    cpu_us: dict[str, float]
    latency_ms: dict[str, float | None]
    answered: int
    failed: int
    copied_share: float | None
    recorded_share: float | None
    foreign_share: float
    outcome: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ports:
    listen: int
    admin: int
    production: int
    candidate: int
    status: int


def measure(scenario: Scenario, proxy: str, load: Load, program: str) -> Sample:
    """Measures one proxy in one scenario; `program` is nginx. Raises MeasurementError."""
    return measure_each(scenario, proxy, [load], program)[0]


def measure_each(scenario: Scenario, proxy: str, loads: Sequence[Load], program: str) -> list[Sample]:
    """The same for several loads, one after the other, on one life of proxy and models.

    Pairs are counted at its end: their share is that of all loads together.
    """
    with TemporaryDirectory(prefix="shadowproxy-bench-") as directory:
        place = Path(directory)
        samples = []
        with standing(scenario, proxy, place, loads[0], program) as stand:
            if proxy in OURS and scenario.mirrors:
                time.sleep(_BEHIND_THE_FIRST_VERDICT_S)
            for load in loads:
                before = _received(stand.ports.status)
                window = offer_through(stand, load)
                if proxy != "direct" and scenario.mirrors:
                    # Copies may still be under way when the last answer has come.
                    time.sleep(0.2)
                received = _received(stand.ports.status) - before - 1
                samples.append(_sample(scenario, proxy, load, window, received))
        if proxy in OURS and scenario.mirrors:
            recorded = shadow.count_pairs(place) / sum(sample.outcome["offered_with_warmup"] for sample in samples)
            samples = [replace(sample, recorded_share=recorded) for sample in samples]
        return samples


def measure_through(
    scenario: Scenario, proxy: str, place: Path, load: Load, program: str, settings: Mapping[str, object]
) -> Sample:
    """One window of a proxy with settings of its own; `place` is an empty directory."""
    with standing(scenario, proxy, place, load, program, settings) as stand:
        before = _received(stand.ports.status)
        window = offer_through(stand, load)
        time.sleep(0.2)
        return _sample(scenario, proxy, load, window, _received(stand.ports.status) - before - 1)


@dataclass(frozen=True, slots=True)
class Stand:
    """A proxy that runs between load and models; `port` is where load goes."""

    proxy: str
    pid: int
    port: int
    ports: Ports
    place: Path
    log: Path

    def processes(self) -> dict[str, list[int]]:
        return _processes(self.proxy, self.pid)


@contextmanager
def standing(
    scenario: Scenario,
    proxy: str,
    place: Path,
    load: Load,
    program: str,
    settings: Mapping[str, object] | None = None,
) -> Iterator[Stand]:
    """Models and proxy on their cores, ready and at rest; `settings` go over shadowproxy's configuration."""
    ports = Ports(*free_ports(5))
    log, models = place / "stderr", place / "models"
    models.mkdir()
    answering = replace(scenario, candidate=b"") if proxy == "nginx-bodyless" else scenario
    text = nginx.models(models, answering, ports.production, ports.candidate, ports.status)
    with ExitStack() as stack:
        stack.enter_context(pinned(nginx.command(program, models, text), load.load_core, models, log))
        wait_until_answering(ports.production, log)
        pid, target = os.getpid(), ports.production
        if proxy != "direct":
            command = _command(proxy, place, scenario, ports, program, settings or {})
            pid, target = stack.enter_context(pinned(command, load.proxy_core, _CLONE, log)).pid, ports.listen
            wait_until_answering(target, log)
            settle(pid)
        yield Stand(proxy, pid, target, ports, place, log)


def offer_through(stand: Stand, load: Load) -> Window:
    return asyncio.run(_offer(load, stand.port, stand.processes))


def _command(
    proxy: str, place: Path, scenario: Scenario, ports: Ports, program: str, settings: Mapping[str, object]
) -> list[str]:
    candidate = ports.candidate if scenario.mirrors else None
    if proxy in OURS:
        before = shadow.INTERPRETED if proxy == "shadowproxy-interpreted" else []
        return before + shadow.command(
            place, scenario, ports.listen, ports.admin, ports.production, ports.candidate, settings
        )
    if proxy == "envoy":
        copies = {} if candidate is None else {"candidate": (candidate, False)}
        return envoy.command(find("envoy") or "envoy", place, ports.listen, ports.production, copies)
    if proxy == "haproxy":
        return haproxy.command(find("haproxy") or "haproxy", place, ports.listen, ports.production)
    if proxy == "aiohttp":
        return aiohttp_proxy.command(ports.listen, ports.production, candidate)
    return nginx.command(program, place, nginx.proxy(place, scenario, ports.listen, ports.production, ports.candidate))


def _processes(proxy: str, pid: int) -> dict[str, list[int]]:
    if proxy == "direct":
        return {}
    if proxy not in OURS:
        return {proxy: tree(pid)}
    of = "interpreted-" if proxy == "shadowproxy-interpreted" else ""
    return {role if role == "rest" else of + role: pids for role, pids in shadow.roles(pid).items()}


@dataclass(slots=True)
class Window:
    roles: list[dict[str, list[int]]] = field(default_factory=list)
    cpu_ns: dict[str, int] = field(default_factory=dict)
    own_ns: int = 0
    busy_s: float = 0.0
    wall_s: float = 0.0
    outcome: dict[str, Any] = field(default_factory=dict)


async def _offer(load: Load, port: int, processes: Callable[[], dict[str, list[int]]]) -> Window:
    plan = Plan(
        address=parse(f"http://127.0.0.1:{port}{TARGET}"),
        requests=[request_for(port)],
        rate_per_s=load.rate_per_s,
        duration_s=load.window_s,
        warmup_s=load.warmup_s,
        connections=load.connections,
    )
    window = Window()

    def look(mark: str) -> None:
        sign = 1 if mark == "end" else -1
        roles = processes()
        window.roles.append(roles)
        for role, pids in roles.items():
            window.cpu_ns[role] = window.cpu_ns.get(role, 0) + sign * cpu_ns(pids)
        # Proxy, models and load are all children of this process.
        window.own_ns += sign * cpu_ns(tree(os.getpid()))
        window.busy_s += sign * busy_s((load.proxy_core, load.load_core))
        window.wall_s += sign * time.perf_counter()

    window.outcome = await offered(plan, load.load_core, look)
    return window


def _sample(scenario: Scenario, proxy: str, load: Load, window: Window, received: int) -> Sample:
    answered = window.outcome["answered_in_window"]
    if not answered:
        raise MeasurementError(f"{proxy} answered nothing in {scenario.name}: {window.outcome}")
    # What else shadowproxy runs comes and goes: a verdict is judged in a process of its own.
    before, after = ({role: pids for role, pids in roles.items() if role != "rest"} for roles in window.roles)
    if before != after:
        raise MeasurementError(f"{proxy} replaced a process while it was measured: {before}, {after}")
    # What production received is what was sent, warm-up included; the rest came to the candidate.
    sent = window.outcome["offered_with_warmup"]
    mirrors = scenario.mirrors and proxy != "direct"
    return Sample(
        scenario=scenario.name,
        proxy=proxy,
        rate_per_s=load.rate_per_s,
        answers_per_s=answered / load.window_s,
        cpu_us={role: used / answered / 1e3 for role, used in window.cpu_ns.items()},
        latency_ms=window.outcome["latency_ms"],
        answered=answered,
        failed=window.outcome["offered"] - window.outcome["statuses"].get("200", 0),
        copied_share=(received - sent) / sent if mirrors else None,
        recorded_share=None,
        foreign_share=max(0.0, window.busy_s - window.own_ns / 1e9) / window.wall_s,
        outcome=window.outcome,
    )


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


# A proxy in the environment is not asked for what lies on this machine.
_OPENER = build_opener(ProxyHandler({}))


def _get(port: int) -> str:
    with _OPENER.open(f"http://127.0.0.1:{port}/", timeout=2) as answer:
        return str(answer.read().decode())


def is_ready(admin_port: int) -> bool:
    try:
        with _OPENER.open(f"http://127.0.0.1:{admin_port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_until_answering(port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            _get(port)
        except OSError as error:
            if time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                raise MeasurementError(
                    f"nothing answered on port {port} for {_READY_S:.0f} s: {error}\n{said}"
                ) from None
            time.sleep(0.02)
        else:
            return


def wait_until_listening(port: int, log: Path) -> None:
    """For what does not answer a plain GET soon."""
    deadline = time.monotonic() + _READY_S
    while True:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:]
            raise MeasurementError(f"nobody listened on port {port} for {_READY_S:.0f} s\n{said}")
        time.sleep(0.02)


def settle(pid: int) -> None:
    """Waits while the tree still loads: an answer comes before the last of its processes is up."""
    deadline = time.monotonic() + _READY_S
    used = cpu_ns(tree(pid))
    while time.monotonic() < deadline:
        time.sleep(_SETTLED_OVER_S)
        before, used = used, cpu_ns(tree(pid))
        if used - before < _SETTLED_SHARE * _SETTLED_OVER_S * 1e9:
            return
    raise MeasurementError(f"process {pid} and its children were still busy {_READY_S:.0f} s after they had answered")


def _received(status_port: int) -> int:
    """Requests that both models have received, this question included."""
    counts = _get(status_port).splitlines()[2]
    return int(counts.split()[2])
