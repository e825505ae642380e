"""The demo's sentences: what training measured, whether clients noticed the mirror, and what to try next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from shadowproxy.demo.cast import BETTER, BROKEN
from shadowproxy.demo.folder import Folder, spelled
from shadowproxy.demo.traffic import Tally
from shadowproxy.demo.training import Measured

_FLOWS: Final = (
    "SELECT production_prediction, shadow_prediction, count(*) AS requests FROM pairs "
    f"WHERE candidate = '{BROKEN}' AND NOT agrees GROUP BY ALL ORDER BY requests DESC LIMIT 10"
)


def trained(measured: Measured) -> str:
    return (
        f"Trained on {measured.learnt_from:,} digits in {measured.seconds:.1f} s. On {measured.held_out:,} others, "
        f"each shifted by a pixel, the logistic regression is right on {_percent(measured.logistic_right)}, the SVM on "
        f"{_percent(measured.svm_right)}, and they disagree on {_percent(measured.disagree)}."
    )


def fidelity(tally: Tally, seconds: float) -> str:
    """Whether every client got production's own answer, and which did not."""
    head = f"{tally.sent:,} requests in {seconds:.1f} s, {tally.sent / seconds:,.0f} a second"
    if not tally.differing and not tally.failed:
        return f"{head}: none failed, and each answer was production's own, byte for byte."
    trouble = []
    if tally.failed:
        request_id, why = tally.failed[0]
        trouble.append(f"{len(tally.failed):,} failed (the first, {request_id}: {why})")
    if tally.differing:
        trouble.append(
            f"{len(tally.differing):,} got another answer than production gives itself "
            f"(the first: {tally.differing[0]})"
        )
    return f"{head}: {' and '.join(trouble)}."


def try_next(folder: Folder, example: str) -> list[str]:
    """One command each for a request, the report, and the log itself. `example` is a request's id."""
    pairs, labels, config = spelled(folder.pairs), spelled(folder.labels), spelled(folder.configuration)
    return [
        "Try next:",
        *_command(f"one request that production and {BETTER} decide differently", ["show", example, pairs]),
        *_command(
            f"the report on {BETTER} alone, as JSON",
            [
                "report",
                pairs,
                "-c",
                config,
                "--candidate",
                BETTER,
                "--labels",
                labels,
                "--on",
                "id",
                "--format",
                "json",
            ],
        ),
        *_command(f"the log: what {BROKEN} made of production's digits", ["sql", f'"{_FLOWS}"', pairs]),
    ]


def _command(what: str, words: Sequence[str]) -> list[str]:
    program = "shadowproxy" if shutil.which("shadowproxy") else f"{spelled(Path(sys.executable))} -m shadowproxy"
    return [f"  # {what}", f"  {program} {' '.join(words)}"]


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
