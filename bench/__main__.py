"""python -m bench NAME [options], or `all`: every experiment, one after the other."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Sequence

from bench import builds, readme
from bench.experiment import Experiment, run

# In the order in which `all` runs them; those marked take part in `all --quick`.
EXPERIMENTS: dict[str, tuple[str, bool]] = {
    "peers": ("CPU per request, throughput and added latency beside nginx, Envoy, HAProxy and an aiohttp proxy", True),
    "recorder": ("the recorder's CPU per pair, by what the comparison finds", False),
    "streaming": ("server-sent events: time added to each and CPU for each, a thousand streams at once", True),
    "large": ("bodies of 10 MB both ways: GB/s and CPU, beside nginx", True),
    "memory": ("what a candidate that hangs costs in memory", False),
    "idle": ("memory at rest and of 10,000 idle connections", True),
    "workers": ("CPU per request with one, two and four workers", False),
    "growth": ("whether a request costs more the longer it runs and the more connections are open", True),
    "start": ("time to ready, and to say --help", True),
    "report": ("how long the report takes on a million pairs, and on ten", False),
    "compare": ("what comparing two answers costs", True),
    "generator": ("the load itself beside wrk", False),
    "isolation": ("production beside candidates that misbehave, and beside nginx's and Envoy's mirror", False),
}


def load(name: str) -> Experiment:
    experiment: Experiment = importlib.import_module(f"bench.{name}").EXPERIMENT
    return experiment


def main(words: Sequence[str] | None = None) -> int:
    name, *rest = (sys.argv[1:] if words is None else words) or ["--help"]
    if name == "all":
        return _all(rest)
    if name == "readme":
        return readme.main()
    if name in EXPERIMENTS:
        return run(load(name), rest)
    print(
        "usage: python -m bench NAME [--quick | --point | --proof] [--docs]\n\n  all          each of these in turn\n"
        "  readme       the newest results as README's measured block"
    )
    for each, (about, _) in EXPERIMENTS.items():
        print(f"  {each:<12} {about}")
    return 0 if name in ("-h", "--help") else 2


def _all(words: Sequence[str]) -> int:
    """The worst of the exit codes. One that cannot run here does not keep the others from it."""
    began, codes = time.monotonic(), [0]
    for name, (_, is_quick) in EXPERIMENTS.items():
        if is_quick or "--quick" not in words:
            print(f"\n## {name}\n", flush=True)
            codes.append(run(load(name), words))
    if "--docs" in words:
        readme.main()
    print(f"all: {time.monotonic() - began:.0f} s", file=sys.stderr)
    return max(codes)


if __name__ == "__main__":
    builds.prefer_compiled()
    sys.exit(main())
