"""`demo`: real models, real traffic, the proxy and its report, on this machine alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click

from shadowproxy.cli.errors import DONE, RuntimeProblem, UsageProblem


@click.command(
    help="Train two scikit-learn models on handwritten digits, serve them and a broken one, put the proxy in front, "
    "send traffic, and report what it found. Needs the extra: pip install 'shadowproxy[demo]'."
)
@click.option(
    "--duration",
    metavar="SECONDS",
    type=click.FloatRange(min=1, max=86400),
    default=20.0,
    show_default=True,
    help="How long traffic is sent.",
)
@click.option("--keep-running", is_flag=True, help="Leave traffic and proxy on after the report, until Ctrl-C.")
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("shadow-demo"),
    help="Each run makes a new directory in it (./shadow-demo).",
)
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:0", help="Where the proxy listens (any free port).")
def command(duration: float, keep_running: bool, directory: Path, listen: str) -> int:
    if importlib.util.find_spec("sklearn") is None:
        raise RuntimeProblem("the demo needs scikit-learn to train its models: pip install 'shadowproxy[demo]'")
    from shadowproxy.demo import address
    from shadowproxy.demo.errors import DemoError
    from shadowproxy.demo.play import Wishes, play

    try:
        where = address.free(listen)
    except ValueError as e:
        raise UsageProblem(f"--listen: {e}") from None
    except DemoError as e:
        raise RuntimeProblem(str(e)) from None
    try:
        play(Wishes(duration, keep_running, directory, where))
    except DemoError as e:
        raise RuntimeProblem(str(e)) from None
    return DONE
