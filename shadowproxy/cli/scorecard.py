"""`scorecard`: ML Test Score evidence from the log."""

from __future__ import annotations

import json
from typing import Any

import click

from shadowproxy.cli.errors import DONE, INCONCLUSIVE, RuntimeProblem, UsageProblem


@click.command(
    help="Say for each of the 28 tests of the ML Test Score what the log in PATH (default ./shadow-pairs) shows of it. "
    "A score is computed only from your own answers: --answers is a YAML or JSON file with points for each test, as in "
    "`infra 4: 1` (0 none, 0.5 done by hand and documented, 1 run automatically)."
)
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--answers", metavar="FILE", help="Points for each test.")
@click.option("-c", "--config", metavar="FILE", help="The proxy's configuration: gates, slices.")
@click.option("--labels", metavar="FILE", help="True labels, as for `report`.")
@click.option("--on", type=click.Choice(["key", "id"]), default="key", show_default=True, help="What labels name.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(
    paths: tuple[str, ...], answers: str | None, config: str | None, labels: str | None, on: str, as_json: bool
) -> int:
    from pathlib import Path

    from shadowproxy.cli.reading import report_on, snapshot_of
    from shadowproxy.cli.screen import put_lines
    from shadowproxy.report.labels import LabelsError
    from shadowproxy.report.scorecard import AnswersError, document, lines_of, text
    from shadowproxy.report.wishes import Wishes

    if labels is not None and not Path(labels).is_file():
        raise RuntimeProblem(f"--labels {labels}: no such file")
    try:
        of_labels = Path(labels) if labels else None
        wishes = Wishes(snapshot=snapshot_of(config), labels=of_labels, labels_on=on, examples=False)
        report = report_on(paths, wishes)
        found = lines_of(report, _answers(answers))
    except AnswersError as e:
        raise UsageProblem(f"--answers {answers}: {e}") from None
    except LabelsError as e:
        raise UsageProblem(str(e)) from None
    if not any(candidate.pairs for candidate in report.candidates.values()):
        click.echo("no pairs that count: the log shows nothing yet", err=True)
        return INCONCLUSIVE
    if as_json:
        click.echo(json.dumps(document(found), indent=2, ensure_ascii=False))
    else:
        put_lines(text(found))
    return DONE


def _answers(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            answers = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise UsageProblem(f"--answers {path}: expected YAML or JSON: {' '.join(str(e).split())}") from None
    if not isinstance(answers, dict):
        raise UsageProblem(f"--answers {path}: expected a mapping of tests to points, as in infra 4: 1")
    return {str(name): points for name, points in answers.items()}
