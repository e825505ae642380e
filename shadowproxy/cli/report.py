"""`report`: what changed between production and each candidate, from the files of a pair log alone."""

from __future__ import annotations

import gc
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shadowproxy.cli.errors import DONE, FAILED, INCONCLUSIVE, RuntimeProblem, UsageProblem

if TYPE_CHECKING:
    from shadowproxy.report.record import Report
    from shadowproxy.report.scope import Scope
    from shadowproxy.report.source import Source
    from shadowproxy.report.wishes import Wishes
    from shadowproxy.settings.snapshot import Snapshot

_SELDOM = 100_000  # objects


@click.command(
    help="Report on the pair log in PATH (directories or files, default ./shadow-pairs): for each candidate's newest "
    "trial whether it may be promoted, errors, disagreement with the noise beside it, latency within pairs, and the "
    "fields that differ. Exits 0 for PASS or where nothing is judged, 1 for FAIL, 3 for INCONCLUSIVE or a log without "
    "pairs."
)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html", "markdown", "junit"]),
    default="text",
    show_default=True,
    help="html is one file without scripts; markdown is for a pull request, junit for a CI server.",
)
@click.option("-o", "--output", metavar="FILE", help="Write the report there instead of to stdout.")
@click.option("-c", "--config", metavar="FILE", help="The proxy's configuration: gates, statistics, urls, limits.")
@click.option("--gate", "gates", metavar="EXPR", multiple=True, help="As in error_rate_increase<=0.5pp; repeatable.")
@click.option("--expect", type=click.Choice(["same", "similar", "different"]), help="Whose default gates hold.")
@click.option("--final", is_flag=True, help="A closed log that nobody has looked at: one look, narrower intervals.")
@click.option("--inconclusive", type=click.Choice(["fail", "pass"]), help="What INCONCLUSIVE exits as; default: 3.")
@click.option("--trial", metavar="ID|all", default="newest", help="One trial, or all of them; default: the newest.")
@click.option("--candidate", metavar="NAME", help="Only this candidate.")
@click.option("--route", metavar="NAME", help="Only pairs of this route.")
@click.option("--since", metavar="TIME", help="RFC 3339, or 2h for the last two hours.")
@click.option("--until", metavar="TIME", help="RFC 3339, or 2h for two hours ago.")
@click.option("--slice", "part", metavar="NAME:VALUE", help="Only pairs of this slice, as in country:DE.")
@click.option("--labels", metavar="FILE", help="True labels: .csv, .jsonl or .parquet with key, label and maybe ts.")
@click.option("--on", type=click.Choice(["key", "id"]), default="key", show_default=True, help="What labels name.")
@click.option("--admin", metavar="URL", help="Ask a running proxy: its log, judged by its configuration.")
@click.option("--recompare", is_flag=True, help="Compare the stored answers again, by the rules of -c FILE.")
@click.option("--no-examples", is_flag=True, help="Leave example pairs, their bodies and their ids out.")
@click.option("--watch", is_flag=True, help="Print it again whenever the log has grown, until Ctrl-C; text only.")
def command(
    paths: tuple[str, ...],
    form: str,
    output: str | None,
    config: str | None,
    gates: tuple[str, ...],
    expect: str | None,
    final: bool,
    inconclusive: str | None,
    trial: str,
    candidate: str | None,
    route: str | None,
    since: str | None,
    until: str | None,
    part: str | None,
    labels: str | None,
    on: str,
    admin: str | None,
    recompare: bool,
    no_examples: bool,
    watch: bool,
) -> int:
    # What is imported and told stays to the end: looking through it for waste takes 0.1 s of a report.
    gc.set_threshold(_SELDOM)
    from shadowproxy.report.scope import ScopeError
    from shadowproxy.report.wishes import Wishes

    if recompare and config is None:
        raise UsageProblem("--recompare: expected -c FILE, whose rules are those of today")
    if watch and (form != "text" or output is not None):
        raise UsageProblem("--watch: expected the text report on the terminal, without --format and -o")
    if admin is not None:
        own = {"PATH": paths, "-c": config, "--gate": gates, "--expect": expect, "--final": final, "--route": route,
               "--since": since, "--until": until, "--slice": part, "--labels": labels, "--no-examples": no_examples,
               "--watch": watch, "--recompare": recompare}  # fmt: skip
        if given := ", ".join(name for name, value in own.items() if value):
            raise UsageProblem(f"--admin: the proxy reads its own log by its own configuration, without {given}")
        return _of_proxy(admin, candidate, trial, form, output, inconclusive)
    try:
        wishes = Wishes(
            scope=_scope(trial, candidate, route, since, until, part),
            snapshot=_snapshot(config),
            labels=_labels(labels),
            labels_on=on,
            examples=not no_examples,
            drawn=form in ("html", "json"),
            bodies=form == "html",
            gates=_gates(gates),
            expect=expect,
            final=final,
        )
    except ScopeError as e:
        raise UsageProblem(str(e)) from None
    if watch:
        from shadowproxy.cli.watch import watch as again

        return again(lambda: _made(paths, wishes, recompare)[0], lambda: _files(paths))
    found, named = _made(paths, wishes, recompare)
    if not has_pairs(found):
        click.echo(_no_pairs(named, found), err=True)
    if has_pairs(found) or form != "text":  # who asked for a document gets one, that says the same
        _put(found, form, output)
    return exit_code(found.verdict, inconclusive) if has_pairs(found) else INCONCLUSIVE


def _of_proxy(
    admin: str, candidate: str | None, trial: str, form: str, output: str | None, inconclusive: str | None
) -> int:
    """The record is the proxy's; what prints it is ours, but for examples' bodies, which only its page holds."""
    from urllib.parse import urlencode

    from msgspec import ValidationError, convert

    from shadowproxy.cli.remote import Remote
    from shadowproxy.report.record import Report

    remote = Remote(admin)
    asked = urlencode({"trial": trial, **({"candidate": candidate} if candidate else {})})
    try:
        found = convert(remote.get(f"/report?{asked}&format=json"), Report)
    except ValidationError as e:
        raise RuntimeProblem(f"{admin}: this is the report of another version: {e}") from None
    if not has_pairs(found):
        click.echo(_no_pairs(admin, found), err=True)
    if form == "html":
        _put_text(remote.text(f"/report?{asked}&format=html"), output)
    elif has_pairs(found) or form != "text":
        _put(found, form, output)
    return exit_code(found.verdict, inconclusive) if has_pairs(found) else INCONCLUSIVE


def exit_code(verdict: str | None, inconclusive: str | None = None) -> int:
    """`inconclusive`: "fail", "pass", or None for an exit code of its own."""
    of_doubt = {"fail": FAILED, "pass": DONE}.get(inconclusive or "", INCONCLUSIVE)
    return {"FAIL": FAILED, "INCONCLUSIVE": of_doubt}.get(verdict or "", DONE)


def has_pairs(found: Report) -> bool:
    """Counted or not: those of the warm-up, and those in time buckets that are still open, are pairs too."""
    return any(c.pairs or c.warmup_pairs or c.open_pairs for c in found.candidates.values())


def _no_pairs(named: str, found: Report) -> str:
    from shadowproxy.report.sentences import no_pairs

    return no_pairs(named, found)


def _made(paths: tuple[str, ...], wishes: Wishes, recompare: bool = False) -> tuple[Report, str]:
    """The report, and what its log is called."""
    import duckdb

    from shadowproxy.report import engine, views
    from shadowproxy.report.assemble import report
    from shadowproxy.report.labels import LabelsError
    from shadowproxy.report.scope import ScopeError
    from shadowproxy.report.source import DEFAULT_PATH, SourceMissing, SourceUnknown, reading

    def made(source: Source) -> tuple[Report, str]:
        with tempfile.TemporaryDirectory(prefix="shadowproxy-recompare-") as scratch, engine.opened() as con:
            if recompare:
                source = _recompared(source, wishes, Path(scratch))
            return report(con, source, views.load_views(con, source), wishes), source.named

    try:
        return reading(paths, made)
    except SourceMissing as e:
        raise RuntimeProblem(str(e)) from None
    except duckdb.Error as e:
        raise RuntimeProblem(f"{', '.join(paths) or DEFAULT_PATH}: {engine.sentence(e)}") from None
    except (SourceUnknown, ScopeError, LabelsError) as e:
        raise UsageProblem(str(e)) from None


def _recompared(source: Source, wishes: Wishes, folder: Path) -> Source:
    from shadowproxy.cli.reading import tell_unusable
    from shadowproxy.report.recompare import recompared

    assert wishes.snapshot is not None
    shown = sys.stderr.isatty()

    def tell(done: int, of: int) -> None:
        if shown:
            click.echo(f"\rcompared again: {done} of {of} segments", nl=done == of, err=True)

    return recompared(source, wishes.snapshot.routes, folder, tell, refuse=tell_unusable)


def _files(paths: tuple[str, ...]) -> list[Path]:
    from shadowproxy.report.source import find

    source = find(paths)
    return [*source.pairs, *source.ledgers]


def _gates(texts: tuple[str, ...]) -> tuple[str, ...]:
    from shadowproxy.settings.gates import parse_gate

    for text in texts:
        try:
            parse_gate(text)
        except ValueError as e:
            raise UsageProblem(f"--gate {text}: {e}") from None
    return texts


def _scope(
    trial: str, candidate: str | None, route: str | None, since: str | None, until: str | None, part: str | None
) -> Scope:
    from shadowproxy.report.scope import Scope, parse_slice, parse_time

    now = datetime.now(UTC)
    return Scope(
        trial=trial,
        candidate=candidate,
        route=route,
        since=parse_time(since, now, "--since") if since is not None else None,
        until=parse_time(until, now, "--until") if until is not None else None,
        slice=parse_slice(part) if part is not None else None,
    )


def _snapshot(config: str | None) -> Snapshot | None:
    if config is None:
        return None
    from shadowproxy.settings.load import load

    return load(config).snapshot


def _labels(path: str | None) -> Path | None:
    if path is not None and not Path(path).is_file():
        raise RuntimeProblem(f"--labels {path}: no such file")
    return Path(path) if path else None


def _put(found: Report, form: str, output: str | None) -> None:
    from shadowproxy.cli.screen import put_lines
    from shadowproxy.report import text
    from shadowproxy.report.render import FORMATS

    if output is None and form == "text":
        put_lines(text.lines(found))
    else:
        _put_text(FORMATS[form](found), output)


def _put_text(made: str, output: str | None) -> None:
    from shadowproxy.cli.screen import put

    if output is None:
        put(made)
    else:
        Path(output).write_text(made, encoding="utf-8")
