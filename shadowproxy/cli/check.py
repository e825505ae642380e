"""`check`: is this configuration valid, and what would take effect?"""

from __future__ import annotations

import click

from shadowproxy.cli.errors import DONE, TROUBLE


@click.command(
    help="Validate FILE and print the effective configuration: defaults filled in, secrets masked. Every fault is "
    "told, one a line, as FILE:LINE: key.path: what was expected. FILE may be - for stdin, read as YAML."
)
@click.argument("file", metavar="FILE")
@click.option(
    "--probe",
    is_flag=True,
    help="Also ask each upstream whether it is ready: connect, then GET /v2/health/ready, or / where that is unknown. "
    "Exits 4 when one is not.",
)
@click.option("--admin", metavar="URL", help="Also ask the proxy that runs there what operators have changed since.")
def command(file: str, probe: bool, admin: str | None) -> int:
    from shadowproxy.settings.load import load

    loaded = load(file)
    click.echo(loaded.text(), nl=False)
    click.echo(f"{file}: valid", err=True)
    if admin is not None:
        from shadowproxy.cli.remote import Remote
        from shadowproxy.cli.screen import put
        from shadowproxy.cli.status import drift_lines

        drift = Remote(admin).get("/config")["drift"]
        for line in list(drift_lines(drift)) or ["Nothing was changed since the proxy read its file."]:
            put(f"# {line}\n")
    if not probe:
        return DONE
    from shadowproxy.cli.probe import probe_all

    ready = True
    for finding in probe_all(loaded.snapshot):
        ready = ready and finding.ready
        click.echo(f"# {finding}")
    return DONE if ready else TROUBLE
