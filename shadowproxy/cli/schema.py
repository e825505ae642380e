"""`schema`: the JSON Schema of the configuration, for editors."""

from __future__ import annotations

import json

import click

from shadowproxy.cli.errors import DONE


@click.command(
    help="Print the JSON Schema of the configuration. Editors that know it complete keys and show what they mean: "
    "begin the file with `# yaml-language-server: $schema=shadowproxy.schema.json`."
)
def command() -> int:
    from shadowproxy.settings.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return DONE
