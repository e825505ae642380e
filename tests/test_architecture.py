"""The house has floors, imports look down only, and this file holds the table.

Floors 1 to 3 are pure. A law that no tree can break proves nothing, so each is also shown to catch a made-up tree.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.imports import Module, reached, read_tree

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "shadowproxy"

FLOOR = {
    "core": 1,
    "http1": 1,
    "compare": 2,
    "stats": 3,
    "settings": 4,
    "wire": 4,
    "pairlog": 4,
    # Data for pages: report and admin may not know each other, and both show the same colours and the same plots.
    "pages": 4,
    "proxy": 5,
    "recorder": 5,
    "report": 6,
    "admin": 6,
    "supervisor": 6,
    "replay": 6,
    "bench": 6,
    "demo": 6,
    "cli": 7,
}
PURE_FLOORS = (1, 2, 3)

# Rooms of one floor do not know each other, but for these.
SAME_FLOOR: dict[str, frozenset[str]] = {
    # What travels between processes carries the configuration.
    "wire": frozenset({"settings"}),
    # Framing of messages and the nouns that it speaks of.
    "http1": frozenset({"core"}),
    # The proxy is the subject of both, started as a user starts it; both offer the load and read the log.
    "demo": frozenset({"bench", "report"}),
    "replay": frozenset({"bench"}),
}

# What a room may not reach even through others.
OUT_OF_REACH = {
    "proxy": frozenset({"compare", "stats", "recorder", "admin", "report", "cli"}),
    "report": frozenset({"proxy", "recorder", "admin"}),
}

# Rooms that may import nothing but these and the standard library.
NOTHING_ELSE = {"supervisor": frozenset({"settings", "wire"})}

# Floors 1 to 3 know none of these: what they need of the world is handed to them.
FILES = frozenset(
    {"os", "pathlib", "io", "fileinput", "glob", "shutil", "tempfile", "mmap", "sqlite3", "duckdb", "fcntl"}
)
SOCKETS = frozenset({"socket", "socketserver", "ssl", "select", "selectors", "aiohttp", "http.client", "http.server"})
FETCHING = frozenset({"urllib.request", "ftplib", "smtplib", "urllib3", "requests", "httpx"})
RUNNING = frozenset({"asyncio", "uvloop", "concurrent", "threading", "multiprocessing", "queue", "sched", "subprocess"})
PROCESS = frozenset({"signal", "resource", "termios"})
CLOCK_AND_CHANCE = frozenset({"time", "random", "secrets", "uuid"})
TALKING = frozenset({"logging", "structlog", "rich", "click", "prometheus_client"})
IMPURE = FILES | SOCKETS | FETCHING | RUNNING | PROCESS | CLOCK_AND_CHANCE | TALKING

# A worker's loop is production's loop, and its memory is paid once a core.
NOT_IN_A_WORKER = (
    "pydantic",
    "duckdb",
    "numpy",
    "scipy",
    "aiohttp",
    "prometheus_client",
    "sklearn",
    "yaml",
    "click",
)


def upward_imports(modules: Mapping[str, Module]) -> Iterator[str]:
    for module in modules.values():
        for target in sorted(module.inner):
            here, there = module.room, modules[target].room
            if not here or not there or here == there or there in SAME_FLOOR.get(here, ()):
                continue
            if FLOOR[there] >= FLOOR[here]:
                yield f"{module.name} (floor {FLOOR[here]}) imports {target} (floor {FLOOR[there]})"


def forbidden_reach(modules: Mapping[str, Module]) -> Iterator[str]:
    for module in modules.values():
        for target, chain in reached(modules, module.name).items():
            if modules[target].room in OUT_OF_REACH.get(module.room, ()):
                yield f"{module.room} reaches {modules[target].room}: " + " -> ".join(chain)


def foreign_imports(modules: Mapping[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if module.room not in NOTHING_ELSE:
            continue
        for target in sorted(module.inner):
            if modules[target].room not in {"", module.room, *NOTHING_ELSE[module.room]}:
                yield f"{module.name} imports {target}"
        for name in sorted(module.outer):
            if name.split(".")[0] not in sys.stdlib_module_names:
                yield f"{module.name} imports {name}, which is not of the standard library"


def impurities(modules: Mapping[str, Module]) -> Iterator[str]:
    for module in modules.values():
        if FLOOR.get(module.room) not in PURE_FLOORS:
            continue
        for name in sorted(module.outer):
            parts = name.split(".")
            if any(".".join(parts[:length]) in IMPURE for length in range(1, len(parts) + 1)):
                yield f"{module.name} imports {name}"
        yield from (f"{module.name} uses {touch}" for touch in sorted(module.touches))


LAWS = {
    "upward_imports": upward_imports,
    "forbidden_reach": forbidden_reach,
    "foreign_imports": foreign_imports,
    "impurities": impurities,
}


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    return read_tree(PACKAGE)


def test_every_room_has_a_floor(modules: dict[str, Module]) -> None:
    rooms = {module.room for module in modules.values()} - {""}
    assert rooms <= FLOOR.keys(), f"without a floor: {sorted(rooms - FLOOR.keys())}"


@pytest.mark.parametrize("law", LAWS)
def test_the_package_keeps_the_law(law: str, modules: dict[str, Module]) -> None:
    assert list(LAWS[law](modules)) == []


MADE_UP = {
    "upward_imports": [
        ({"core/a.py": "from shadowproxy.compare import diff\n", "compare/diff.py": ""}, "core.a (floor 1) imports"),
        ({"stats/a.py": "import shadowproxy.cli.run\n", "cli/run.py": ""}, "stats.a (floor 3) imports"),
        ({"settings/a.py": "from ..pairlog import schema\n", "pairlog/schema.py": ""}, "settings.a (floor 4) imports"),
        ({"core/a.py": "def f():\n    from shadowproxy import proxy\n", "proxy/b.py": ""}, "core.a (floor 1) imports"),
    ],
    "forbidden_reach": [
        ({"proxy/a.py": "from shadowproxy.compare import diff\n", "compare/diff.py": ""}, "proxy reaches compare"),
        (
            {
                "proxy/a.py": "from shadowproxy.pairlog import schema\n",
                "pairlog/schema.py": "from shadowproxy.stats import tally\n",
                "stats/tally.py": "",
            },
            "proxy.a -> shadowproxy.pairlog.schema -> shadowproxy.stats.tally",
        ),
        (
            {
                "report/a.py": "from shadowproxy.wire import frames\n",
                "wire/__init__.py": "from shadowproxy.recorder import x\n",
                "wire/frames.py": "",
                "recorder/x.py": "",
            },
            "report reaches recorder",
        ),
    ],
    "foreign_imports": [
        ({"supervisor/a.py": "import structlog\n"}, "structlog, which is not of the standard library"),
        ({"supervisor/a.py": "from shadowproxy.core import x\n", "core/x.py": ""}, "imports shadowproxy.core.x"),
    ],
    "impurities": [
        ({"core/a.py": "import os\n"}, "core.a imports os"),
        ({"http1/a.py": "from time import monotonic\n"}, "http1.a imports time.monotonic"),
        ({"compare/a.py": "from urllib.request import urlopen\n"}, "imports urllib.request.urlopen"),
        ({"compare/a.py": "text = open('x').read()\n"}, "compare.a uses open()"),
        ({"stats/a.py": "import numpy as np\nrng = np.random.default_rng()\n"}, "stats.a uses np.random"),
        ({"stats/a.py": "from datetime import datetime\nat = datetime.now()\n"}, "stats.a uses .now()"),
    ],
}


@pytest.mark.parametrize(
    ("law", "files", "complaint"), [(law, files, said) for law, cases in MADE_UP.items() for files, said in cases]
)
def test_the_law_catches_who_breaks_it(law: str, files: dict[str, str], complaint: str, tmp_path: Path) -> None:
    broken = list(LAWS[law](read_tree(_made_up(tmp_path, files))))
    assert len(broken) >= 1
    assert any(complaint in line for line in broken), broken


def test_what_looks_down_is_allowed(tmp_path: Path) -> None:
    tree = {
        "core/route.py": "import re\nfrom urllib.parse import urlsplit\n",
        "compare/rules.py": "from shadowproxy.core.route import urlsplit\nimport orjson\n",
        "supervisor/life.py": "import os, socket\nfrom shadowproxy.wire import messages\n",
        "wire/messages.py": "import msgspec\nfrom shadowproxy.settings import snapshot\n",
        "settings/snapshot.py": "import msgspec\n",
        "cli/run.py": "from shadowproxy.supervisor import life\nprint(life)\n",
    }
    modules = read_tree(_made_up(tmp_path, tree))
    assert {law: list(check(modules)) for law, check in LAWS.items()} == {law: [] for law in LAWS}


def _made_up(tmp_path: Path, files: Mapping[str, str]) -> Path:
    root = tmp_path / "shadowproxy"
    for name, text in {"__init__.py": "", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        init = path.parent / "__init__.py"
        if not init.exists():
            init.write_text("", encoding="utf-8")
    return root


def test_a_worker_loads_nothing_heavy() -> None:
    program = (
        "import sys, shadowproxy.proxy.worker\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in sys.argv[1:] and '.' not in name))"
    )
    command = [sys.executable, "-c", program, *NOT_IN_A_WORKER]
    found = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=True)
    assert found.stdout.strip() == "[]"


def test_every_room_with_modules_has_tests(modules: dict[str, Module]) -> None:
    rooms = {module.room for module in modules.values() if module.path.name != "__init__.py"} - {""}
    untested = {room for room in rooms if not any((REPOSITORY / "tests" / room).glob("test_*.py"))}
    assert untested == set()


# The patterns are written so that they do not match themselves.
PRIVATE = {
    "a machine's path": re.compile(r"(?<![\w.:/*-])/(?:root|home|Users|work|mnt|opt)/[\w.]"),
    "a registry's address": re.compile(
        r"(?:pypi|pythonhosted|npmjs|crates|docker|ghcr|quay|gcr)\.(?:org|com|io)\b|index[-_](?:url)|find[-_](?:links)",
        re.I,
    ),
}


def private_matter(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in PRIVATE.items():
            if found := pattern.search(line):
                yield f"{number}: {what}: {found.group()}"


def test_no_file_tells_where_it_was_written() -> None:
    told = [f"{path}:{line}" for path, text in _texts() for line in private_matter(text)]
    assert told == []


@pytest.mark.parametrize(
    "line",
    [
        "cd /" + "home/somebody/project",
        'path = "/' + 'root/.cache"',
        "--index-" + "url https://mirror.example/simple",
        "see https://py" + "pi.org/project/x",
        "FROM gh" + "cr.io/x/y",
    ],
)
def test_a_private_line_is_found(line: str) -> None:
    assert len(list(private_matter("fine\n" + line))) == 1


@pytest.mark.parametrize(
    "line", ["GET /v1/work/7", "docs/home/index", "http://host/home/x", "/tmp and /var/lib are public"]
)
def test_an_innocent_line_is_not(line: str) -> None:
    assert list(private_matter(line)) == []


def _texts() -> Iterator[tuple[str, str]]:
    for name in _repository_files():
        path = REPOSITORY / name
        if path.is_file():
            raw = path.read_bytes()
            if b"\0" not in raw:
                yield name, raw.decode("utf-8", "replace")


def _repository_files() -> list[str]:
    """What git tracks or would track; in an unpacked archive without git, every file outside hidden directories."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0 and listed.stdout:
        return sorted(set(listed.stdout.decode().split("\0")) - {""})
    inside = (path.relative_to(REPOSITORY) for path in REPOSITORY.rglob("*"))
    return sorted(str(path) for path in inside if not any(part.startswith(".venv") for part in path.parts))
