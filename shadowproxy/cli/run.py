"""`run`: the proxy. This process is the supervisor; workers, recorder and admin are its children."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from shadowproxy.cli.errors import DONE, RuntimeProblem

if TYPE_CHECKING:
    from shadowproxy.settings.overrides import Overrides
    from shadowproxy.settings.snapshot import Snapshot


@click.command(
    help="Answer every request with production's answer, and send copies to the candidates. Needs no file; flags win "
    "over the file. SIGTERM and SIGINT drain (a second one stops at once), SIGHUP reads the configuration again."
)
@click.option("-c", "--config", metavar="FILE", help="The configuration (YAML, TOML or JSON).")
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect (127.0.0.1:8080).")
@click.option("--production", metavar="URL", help="The model that answers.")
@click.option(
    "--candidate", "candidates", metavar="NAME=URL", multiple=True, help="A model that gets copies; repeatable."
)
@click.option("--twin", metavar="URL", help="A second copy of production: what differs between the two is noise.")
@click.option("--sample", metavar="PERCENT", help="The share of requests that is copied (100%).")
@click.option("--expect", metavar="same|similar|different", help="What is expected of every candidate (similar).")
@click.option("--admin", metavar="HOST:PORT|off", help="Probes, metrics and status (127.0.0.1:9900).")
@click.option("--pairs", metavar="DIR", help="The pair log (./shadow-pairs).")
@click.option("--workers", metavar="N|auto", help="Processes that serve requests (1).")
@click.option("--log-format", metavar="console|json", help="Default: console on a terminal, else json.")
def command(config: str | None, log_format: str | None, **flags: Any) -> int:
    # Until the supervisor listens to signals itself, being told to end is no failure either. No KeyboardInterrupt: one
    # within a string that is executed, as imports do, makes Python end itself by SIGINT whoever catches it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(DONE))
    try:
        return _run(config, log_format, flags)
    except KeyboardInterrupt:
        return DONE


def _run(config: str | None, log_format: str | None, flags: dict[str, Any]) -> int:
    import asyncio

    from shadowproxy import logs
    from shadowproxy.settings.load import load
    from shadowproxy.settings.overrides import Overrides
    from shadowproxy.supervisor.errors import StartError
    from shadowproxy.supervisor.supervisor import Supervisor

    overrides = Overrides(**flags, log_format=log_format or logs.style_for(sys.stderr))
    snapshot = load(config, overrides).snapshot
    logs.configure(snapshot.log_format, snapshot.logs, process="supervisor")
    supervisor = Supervisor(snapshot, load=lambda: _load_again(config, overrides), events=logs.emit, on_ready=_announce)
    try:
        return asyncio.run(supervisor.run())
    except StartError as e:
        raise RuntimeProblem(str(e)) from e


def _load_again(config: str | None, overrides: Overrides) -> Snapshot:
    from shadowproxy.settings.load import load
    from shadowproxy.settings.problem import SettingsError
    from shadowproxy.supervisor.errors import RefusedError

    try:
        return load(config, overrides).snapshot
    except SettingsError as e:
        raise RefusedError([str(problem) for problem in e.problems]) from e
    except OSError as e:
        raise RefusedError([f"{config}: {e.strerror or e}"]) from e


def _announce(snapshot: Snapshot) -> None:
    """The banner for people; where lines are JSON, an event with the same facts."""
    from shadowproxy import logs
    from shadowproxy.supervisor.banner import banner, facts

    if snapshot.log_format == logs.CONSOLE:
        click.echo("\n".join(banner(snapshot)), err=True)
    else:
        logs.emit("info", "proxy.ready", **facts(snapshot))
