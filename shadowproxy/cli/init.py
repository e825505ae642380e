"""`init`: a commented configuration to start from."""

from __future__ import annotations

from importlib import resources

import click

from shadowproxy.cli.errors import DONE, UsageProblem


@click.command(help="Print a commented starter configuration, with every default that one is likely to change.")
@click.option("-o", "--output", metavar="FILE", help="Write it there; a file that exists is left alone.")
def command(output: str | None) -> int:
    text = starter()
    if output is None:
        click.echo(text, nl=False)
        return DONE
    try:
        with open(output, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageProblem(f"{output}: expected a file that does not exist yet, nothing was written") from None
    click.echo(f"{output}: written; next: shadowproxy check {output}", err=True)
    return DONE


def starter() -> str:
    return resources.files("shadowproxy.settings").joinpath("starter.yaml").read_text(encoding="utf-8")
