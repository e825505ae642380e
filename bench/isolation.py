"""Production's latency and answers while a candidate misbehaves, beside nginx's and Envoy's mirror in one run.

Production takes 10 ms and is asked at a steady rate, open loop; every answer is read and compared. Each case is first
measured without a mirror, shadowproxy passing through while a bystander pulls the same from the same bad candidate:
what the candidate costs the machine is in both figures. The proxy has one core; load, production and candidates
another, where candidates and the bystander run when nobody else wants to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from math import comb
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench import bad, envoy, nginx
from bench.cores import pinned
from bench.experiment import Effort, Experiment, Finding, run, two_cores
from bench.failure import MeasurementError
from bench.measure import free_ports, settle, wait_until_answering
from bench.programs import find
from bench.steady import Steady, encode
from bench.table import markdown

_CLONE = Path(__file__).parent.parent
_LARGE_BYTES = 200_000
# At once, whatever nice says of shares: a copy arrives when production's request does and must not keep it waiting.
_GIVES_WAY = ("chrt", "--idle", "0")
_PATIENCE_S = 3.0  # an answer that takes longer is lost


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    title: str
    kinds: tuple[str, ...]  # of bench.bad
    body_bytes: int = 1024
    rate: float = 1.0  # times the run's


_BAD = ("hangs", "refuses", "resets", "fails", "large", "endless", "trickles", "closes", "flaps", "slow", "unread")
CASES = (
    Case("healthy", "a healthy candidate", ("steady",)),
    Case("hangs", "one that hangs", ("hangs",)),
    Case("refuses", "refuses", ("refuses",)),
    Case("resets", "resets", ("resets",)),
    Case("fails", "answers 500", ("fails",)),
    Case("large", "answers 20 MB", ("large",)),
    Case("endless", "answers endlessly at full speed", ("endless",)),
    Case("trickles", "trickles 1 byte/s", ("trickles",)),
    Case("closes", "closes after each answer, over TLS", ("closes",)),
    Case("flaps", "flaps each second", ("flaps",)),
    Case("slow", "ten times slower", ("slow",)),
    Case("unread", "never reads an upload of 200 KB", ("unread",), _LARGE_BYTES, 0.25),
    Case("all", "all of them at once", _BAD),
)
_QUICK_CASES = ["healthy", "hangs", "all"]
ALONE = "alone"
DECIDED_BY = 20  # windows: a p99 of few is mostly chance
PEERS = ("nginx", "envoy")
PROXIES = (*PEERS, "shadowproxy")


@dataclass(frozen=True, slots=True)
class Window:
    """What the client saw in one window; `copies`: shadowproxy's own account of what became of them."""

    case: str
    proxy: str
    offered: int
    answered: int
    faults: dict[str, int]
    p50_ms: float | None
    p99_ms: float | None
    copies: dict[str, int] = field(default_factory=dict)


def measure_isolation(chosen: argparse.Namespace) -> Finding:
    proxy_core, load_core = two_cores()
    rate, window_s, rounds = {
        Effort.QUICK: (100.0, 1.0, 1),
        Effort.POINT: (100.0, 2.5, 1),
        Effort.PROOF: (100.0, 5.0, 20),
    }[chosen.effort]
    rate, window_s, rounds = chosen.rate or rate, chosen.window or window_s, chosen.rounds or rounds
    is_quick = chosen.effort is Effort.QUICK
    names = chosen.case or (_QUICK_CASES if is_quick else [case.name for case in CASES])
    cases = [case for case in CASES if case.name in names]
    programs = {name: find(name) for name in PEERS}
    wanted = chosen.proxy or (["shadowproxy"] if is_quick else PROXIES)
    proxies = [name for name in wanted if name == "shadowproxy" or programs[name]]
    windows: list[Window] = []
    with TemporaryDirectory(prefix="shadowproxy-isolation-") as directory:
        place = Path(directory)
        bench = Bench(place, proxy_core, load_core, {name: path for name, path in programs.items() if path})
        with bench.models():
            for number in range(rounds):
                for case in cases if number % 2 == 0 else list(reversed(cases)):
                    print(f"round {number + 1} of {rounds}: {case.name}", file=sys.stderr)
                    windows += [bench.measure(case, name, rate * case.rate, window_s) for name in (ALONE, *proxies)]
    missed = goals(windows)
    return Finding(
        tables=[table(windows, cases, proxies)],
        data={"windows": [asdict(window) for window in windows], "missed": missed},
        ratios={f"{case.name} p99": ratio for case in cases if (ratio := p99_ratio(windows, case.name)) is not None},
        warnings=[*missed, *(f"{name} is not installed" for name in wanted if name not in proxies)],
        load=(
            f"{rate:g} requests/s (uploads: {rate * 0.25:g}) over 32 connections, production 10 ms; {rounds} "
            f"interleaved windows of {window_s:g} s for each cell, p50 / p99 in ms"
        ),
    )


class Bench:
    def __init__(self, place: Path, proxy_core: int, load_core: int, programs: Mapping[str, str]) -> None:
        self._place = place
        self._proxy_core = proxy_core
        self._load_core = load_core
        self._programs = programs
        ports = free_ports(2 + len(_BAD) + 2)
        self._production, self._steady, *more = ports
        self._ports = {"steady": self._steady, **dict(zip(_BAD, more, strict=False))}
        self._listen, self._admin = more[len(_BAD) :]
        self._log = place / "stderr"
        self._number = 0

    @contextmanager
    def models(self) -> Iterator[None]:
        """Production, and every candidate but the one that nobody listens for."""
        pem = _self_signed(self._place)
        listening = [f"{kind}={port}" for kind, port in self._ports.items() if kind != "refuses"]
        python = [sys.executable, "-m", "bench.bad"]
        with ExitStack() as stack:
            for command in (
                [*python, f"steady={self._production}"],
                [*_GIVES_WAY, *python, "--tls", str(pem), *listening],
            ):
                stack.enter_context(pinned(command, self._load_core, _CLONE, self._log, stop_s=2, own_session=False))
            for port in (self._production, self._steady):
                wait_until_answering(port, self._log)
            yield

    def measure(self, case: Case, proxy: str, rate_per_s: float, window_s: float) -> Window:
        self._number += 1
        place = self._place / str(self._number)
        place.mkdir()
        targets = {kind: (self._ports[kind], kind == "closes") for kind in case.kinds}
        plan = Steady(
            port=self._listen,
            rate_per_s=rate_per_s,
            window_s=window_s,
            body_bytes=case.body_bytes,
            timeout_s=_PATIENCE_S,
            expected=bad.BODY.decode(),
        )
        with ExitStack() as stack:
            command = self._command(proxy, place, {} if proxy == ALONE else targets)
            process = stack.enter_context(pinned(command, self._proxy_core, _CLONE, self._log))
            wait_until_answering(self._listen, self._log)
            if proxy not in PEERS:
                # Envoy goes on for ever reading what this first request's copy brings, and would never be at rest.
                settle(process.pid)
            if proxy == ALONE:
                for port, tls in targets.values():
                    pull = Steady(
                        port, rate_per_s, window_s, connections=100, body_bytes=case.body_bytes, timeout_s=5.0, tls=tls
                    )
                    stack.enter_context(self._asking(pull))
            outcome = json.loads(self._ask(plan))
        copies = _account(place / "pairs") if proxy == "shadowproxy" else {}
        shutil.rmtree(place, ignore_errors=True)
        latency = outcome["latency_ms"]
        return Window(
            case=case.name,
            proxy=proxy,
            offered=outcome["offered"],
            answered=outcome["answered"],
            faults={fault: count for fault, count in outcome["faults"].items() if count},
            p50_ms=latency["p50"],
            p99_ms=latency["p99"],
            copies=copies,
        )

    def _command(self, proxy: str, place: Path, candidates: Mapping[str, tuple[int, bool]]) -> list[str]:
        if proxy == "nginx":
            text = nginx.mirroring(place, self._listen, self._production, candidates)
            return nginx.command(self._programs["nginx"], place, text)
        if proxy == "envoy":
            return envoy.command(self._programs["envoy"], place, self._listen, self._production, candidates)
        settings = {
            "listen": f"127.0.0.1:{self._listen}",
            "state": str(place / "state"),
            "admin": {"listen": f"127.0.0.1:{self._admin}"},
            "production": {"url": f"http://127.0.0.1:{self._production}"},
            "candidates": [
                {"name": name, "url": f"{'https' if tls else 'http'}://127.0.0.1:{port}", "tls": {"verify": False}}
                for name, (port, tls) in candidates.items()
            ],
            "pairs": {"dir": str(place / "pairs")},
            "limits": {"drain_delay": "0s", "drain": "1s"},
        }
        file = place / "shadowproxy.json"
        file.write_text(json.dumps(settings), encoding="utf-8")
        return [sys.executable, "-m", "shadowproxy", "run", "-c", str(file), "--log-format", "json"]

    def _ask(self, plan: Steady) -> str:
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._load_core})
        try:
            done = subprocess.run(
                [sys.executable, "-m", "bench.steady"],
                input=encode(plan),
                cwd=_CLONE,
                capture_output=True,
                timeout=plan.warmup_s + plan.window_s + plan.timeout_s + 30,
                check=False,
            )
        finally:
            os.sched_setaffinity(0, mine)
        if done.returncode:
            raise MeasurementError(f"the load failed: {done.stderr.decode(errors='replace')[-2000:]}")
        return done.stdout.decode()

    @contextmanager
    def _asking(self, plan: Steady) -> Iterator[None]:
        """The bystander, for as long as the block."""
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self._load_core})
        try:
            process = subprocess.Popen(
                [*_GIVES_WAY, sys.executable, "-m", "bench.steady"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=_CLONE,
            )
        finally:
            os.sched_setaffinity(0, mine)
        assert process.stdin is not None
        process.stdin.write(encode(plan))
        process.stdin.close()
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _self_signed(place: Path) -> Path:
    """A certificate with its key in one file. Nobody verifies it: what is measured is the handshakes."""
    pem = place / "candidate.pem"
    words = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    try:
        subprocess.run(["openssl", *words, "-keyout", str(pem), "-out", f"{pem}.crt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise MeasurementError(f"openssl made no certificate: {error}") from None
    with pem.open("ab") as file:
        file.write(Path(f"{pem}.crt").read_bytes())
    return pem


def _account(folder: Path) -> dict[str, int]:
    """What became of the copies, by reason or outcome, over all candidates: the newest totals of the ledger."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for file in folder.glob("ledger-*.jsonl"):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            rows[row["worker"], row["boot"], row["trial"], row["candidate"], row["route"]] = row
    account: dict[str, int] = {}
    for row in rows.values():
        for reasons in (row["finished"], row["dropped"], {"still under way": row["in_flight"]}):
            for reason, count in reasons.items():
                if count:
                    account[reason] = account.get(reason, 0) + count
    return account


def _of(windows: Sequence[Window], case: str, proxy: str) -> list[Window]:
    return [window for window in windows if (window.case, window.proxy) == (case, proxy)]


def p99_ratio(windows: Sequence[Window], case: str) -> float | None:
    """Median over rounds of shadowproxy's p99 to the p99 without mirror in the same round."""
    pairs = zip(_of(windows, case, "shadowproxy"), _of(windows, case, ALONE), strict=True)
    found = [mirror.p99_ms / alone.p99_ms for mirror, alone in pairs if mirror.p99_ms and alone.p99_ms]
    return median(found) if found else None


def goals(windows: Sequence[Window]) -> list[str]:
    """What shadowproxy missed: p99 ≤ 1.1 × the run without mirrors + 1 ms in the median round, no fault at all."""
    missed = []
    for case in dict.fromkeys(window.case for window in windows):
        mine, alone = _of(windows, case, "shadowproxy"), _of(windows, case, ALONE)
        over = [
            mirror.p99_ms - (1.1 * base.p99_ms + 1.0)
            for mirror, base in zip(mine, alone, strict=False)
            if mirror.p99_ms is not None and base.p99_ms is not None
        ]
        if over and low_end(over) > 0:
            missed.append(
                f"{case}: p99 is {median(over):.1f} ms above 1.1 × the run without mirrors + 1 ms "
                f"({len(over)} windows; {DECIDED_BY} decide)"
            )
        faults = sum(sum(window.faults.values()) for window in mine)
        if faults:
            missed.append(f"{case}: {faults} requests failed or were answered wrongly")
    return missed


def low_end(values: Sequence[float]) -> float:
    """Of the 95 % interval of the median, by order statistics; of fewer values than it takes, the smallest."""
    ordered = sorted(values)
    below = 0
    share = 0.5 ** len(ordered)
    while share + comb(len(ordered), below + 1) * 0.5 ** len(ordered) <= 0.025:
        below += 1
        share += comb(len(ordered), below) * 0.5 ** len(ordered)
    return ordered[below]


def table(windows: Sequence[Window], cases: Sequence[Case], proxies: Sequence[str]) -> str:
    names = {ALONE: "no mirror, a bystander", "nginx": "nginx `mirror`", "envoy": "Envoy"}
    columns = ["candidate", *(names.get(name, name) for name in (ALONE, *proxies)), "shadowproxy's copies"]
    rows = []
    for case in cases:
        cells = [_cell(_of(windows, case.name, name)) for name in (ALONE, *proxies)]
        rows.append([case.title, *cells, _copies(_of(windows, case.name, "shadowproxy"))])
    return markdown(columns, rows)


def _cell(windows: Sequence[Window]) -> str:
    known = [window for window in windows if window.p50_ms is not None and window.p99_ms is not None]
    offered = sum(window.offered for window in windows)
    faults = sum(sum(window.faults.values()) for window in windows)
    failed = f", {faults / offered:.1%} failed" if faults and offered else ""
    if not known:
        return f"no answer{failed}"
    p50, p99 = median(one.p50_ms or 0.0 for one in known), median(one.p99_ms or 0.0 for one in known)
    return f"{p50:.1f} / {p99:.1f}{failed}"


def _copies(windows: Sequence[Window]) -> str:
    account: dict[str, int] = {}
    for window in windows:
        for reason, count in window.copies.items():
            account[reason] = account.get(reason, 0) + count
    total = sum(account.values())
    largest = sorted(account.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{reason} {count / total:.0%}" for reason, count in largest)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, help="requests per second (100)")
    parser.add_argument("--window", type=float, help="seconds measured each time (4; quick: 1; proof: 5)")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (1; proof: 20)")
    parser.add_argument("--case", choices=[case.name for case in CASES], nargs="+", help=f"all; quick: {_QUICK_CASES}")
    parser.add_argument("--proxy", choices=PROXIES, nargs="+", help="all; quick: shadowproxy alone")


EXPERIMENT = Experiment("isolation", __doc__, measure_isolation, needs=("openssl",), peers=PEERS, options=_options)

if __name__ == "__main__":
    sys.exit(run(EXPERIMENT))
