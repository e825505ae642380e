"""The command `shadowproxy`: a table of its commands, each in a module that is imported when it is called."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import click

from shadowproxy import __version__
from shadowproxy.settings.problem import suggestion


@dataclass(frozen=True, slots=True)
class Entry:
    """`module` holds a click command named `command`; the rest is what `--help` shows without importing it."""

    module: str
    summary: str
    examples: tuple[str, ...]


COMMANDS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "run": Entry(
            "shadowproxy.cli.run",
            "The proxy: production answers, candidates get copies.",
            (
                "shadowproxy run --production http://127.0.0.1:9001 --candidate v2=http://127.0.0.1:9002",
                "shadowproxy run -c shadowproxy.yaml",
                "shadowproxy run -c shadowproxy.yaml --sample 10% --listen :8080",
            ),
        ),
        "check": Entry(
            "shadowproxy.cli.check",
            "Validate a configuration and print what takes effect.",
            ("shadowproxy check shadowproxy.yaml", "shadowproxy check shadowproxy.yaml --probe"),
        ),
        "init": Entry(
            "shadowproxy.cli.init",
            "Print a commented starter configuration.",
            ("shadowproxy init > shadowproxy.yaml", "shadowproxy init -o shadowproxy.yaml"),
        ),
        "schema": Entry(
            "shadowproxy.cli.schema",
            "Print the JSON Schema of the configuration.",
            ("shadowproxy schema > shadowproxy.schema.json",),
        ),
        "demo": Entry(
            "shadowproxy.cli.demo",
            "Real models, real traffic, the proxy and its report.",
            ("shadowproxy demo", "shadowproxy demo --duration 60", "shadowproxy demo --keep-running"),
        ),
        "report": Entry(
            "shadowproxy.cli.report",
            "What changed between production and each candidate.",
            ("shadowproxy report", "shadowproxy report ./shadow-pairs --format json -o report.json"),
        ),
        "show": Entry(
            "shadowproxy.cli.show",
            "One request's pairs, side by side.",
            ("shadowproxy show 0190c3a5-7b1e-7c4e-9f00-2f6d1a7be001",),
        ),
        "bench": Entry(
            "shadowproxy.cli.bench",
            "Open-loop load, with latency from when requests were due.",
            (
                "shadowproxy bench http://127.0.0.1:8080/v2/models/m/infer --rate 500 --body request.json",
                "shadowproxy bench http://old:9001/ http://new:9002/ --rate 200 --body ./shadow-pairs",
                "shadowproxy bench http://127.0.0.1:8080/ --rate max --threshold 'p99<=20ms' --format html",
            ),
        ),
        "trials": Entry(
            "shadowproxy.cli.trials",
            "The log's trials with versions, span, pairs and verdict.",
            ("shadowproxy trials", "shadowproxy trials ./shadow-pairs --json"),
        ),
        "tail": Entry(
            "shadowproxy.cli.tail",
            "Pairs as they come.",
            ("shadowproxy tail", "shadowproxy tail --different", "shadowproxy tail --json | jq .comparison"),
        ),
        "export": Entry(
            "shadowproxy.cli.export",
            "The log as Parquet.",
            ("shadowproxy export ./shadow-pairs -o ./parquet",),
        ),
        "forget": Entry(
            "shadowproxy.cli.forget",
            "Remove a request from the log.",
            ("shadowproxy forget 0190c3a5-7b1e-7c4e-9f00-2f6d1a7be001", "shadowproxy forget --key customer-4711"),
        ),
        "replay": Entry(
            "shadowproxy.cli.replay",
            "Logged requests to another upstream.",
            (
                "shadowproxy replay ./shadow-pairs --to v3=http://127.0.0.1:9004",
                "shadowproxy replay ./shadow-pairs --to v3=http://127.0.0.1:9004 --speed 2 --pairs ./replayed",
            ),
        ),
        "scorecard": Entry(
            "shadowproxy.cli.scorecard",
            "ML Test Score evidence from the log.",
            ("shadowproxy scorecard", "shadowproxy scorecard ./shadow-pairs --answers answers.yaml"),
        ),
        "sql": Entry(
            "shadowproxy.cli.sql",
            "Query the pair log with DuckDB.",
            ('shadowproxy sql "SELECT candidate, count(*) FROM pairs GROUP BY ALL"',),
        ),
        "status": Entry(
            "shadowproxy.cli.status",
            "What a running proxy is doing.",
            ("shadowproxy status", "shadowproxy status --admin http://10.0.0.5:9900 --json"),
        ),
        "candidates": Entry(
            "shadowproxy.cli.candidates",
            "A running proxy's candidates, one a line.",
            ("shadowproxy candidates",),
        ),
        "add": Entry(
            "shadowproxy.cli.add",
            "Add a candidate while traffic runs.",
            ("shadowproxy add v3=http://127.0.0.1:9004", "shadowproxy add v3=http://127.0.0.1:9004 --sample 10%"),
        ),
        "remove": Entry(
            "shadowproxy.cli.remove", "Take a candidate out while traffic runs.", ("shadowproxy remove v3",)
        ),
        "sample": Entry(
            "shadowproxy.cli.sample", "Set the share of requests that a candidate sees.", ("shadowproxy sample v2 10%",)
        ),
        "pause": Entry(
            "shadowproxy.cli.pause",
            "The kill switch: no copies, to one or to all.",
            ("shadowproxy pause", "shadowproxy pause v2"),
        ),
        "resume": Entry(
            "shadowproxy.cli.resume", "Copies again, to one or to all.", ("shadowproxy resume", "shadowproxy resume v2")
        ),
        "restart": Entry(
            "shadowproxy.cli.restart",
            "Begin a candidate's trial anew, or replace the workers.",
            ("shadowproxy restart v2", "shadowproxy restart --workers"),
        ),
        "promote": Entry(
            "shadowproxy.cli.promote",
            "Let a candidate that passes become production.",
            (
                "shadowproxy promote v2",
                "shadowproxy promote v2 --ramp 1%,10%,50%,100% --hold 5m",
                'shadowproxy promote v2 --force "v1 leaks memory"',
            ),
        ),
        "rollback": Entry(
            "shadowproxy.cli.rollback", "Back to the former production, at once.", ("shadowproxy rollback",)
        ),
        "reload": Entry(
            "shadowproxy.cli.reload",
            "Read the configuration again.",
            ("shadowproxy reload", "shadowproxy reload --reset"),
        ),
        "history": Entry(
            "shadowproxy.cli.history",
            "Promotions and rollbacks so far.",
            ("shadowproxy history", "shadowproxy history --json"),
        ),
        "wait": Entry(
            "shadowproxy.cli.wait",
            "Until a candidate's verdict is decided.",
            ("shadowproxy wait v2 --timeout 2h && shadowproxy promote v2",),
        ),
    }
)

_HELP: Final = """\b
Examples:
  shadowproxy demo
  shadowproxy run --production http://127.0.0.1:9001 --candidate v2=http://127.0.0.1:9002
  shadowproxy report ./shadow-pairs

Mirror inference traffic to candidate models, log each pair of answers, and say what changed. Clients always get
production's answer.
"""
_EXITS: Final = """\b
Exit codes:
  0 done, or PASS · 1 FAIL · 2 usage or configuration · 3 INCONCLUSIVE, or no pairs
  4 input, output, anything unexpected · 130 interrupted
"""


class LazyGroup(click.Group):
    """Looks commands up in `COMMANDS`; only the one that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        return load(cmd_name, entry) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            raise click.UsageError(f"there is no command {name!r}{suggestion(name, COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def load(name: str, entry: Entry) -> click.Command:
    """The command, with its examples before its own help text."""
    command: Any = importlib.import_module(entry.module).command
    assert isinstance(command, click.Command), f"{entry.module}.command is no click command"
    command.name = name
    block = "\n".join(("\b", "Examples:", *(f"  {example}" for example in entry.examples)))
    if not (command.help or "").startswith("\b\nExamples:"):
        command.help = f"{block}\n\n{command.help or entry.summary}"
    return command


group: Final = LazyGroup(
    name="shadowproxy",
    help=_HELP,
    epilog=_EXITS,
    params=[
        click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error."),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
click.version_option(__version__, prog_name="shadowproxy", message="%(prog)s %(version)s")(group)
