"""Reads which module imports what, and what it touches, from source alone: nothing is imported to find out.

`read_tree` gives a `Module` for each file of a package. A `Module` knows the modules of its own package that it
imports (`inner`), the outside names that it imports (`outer`), and the impure things that it does besides
importing (`touches`): calls of `open`, `print`, `input`, reading a clock, and `numpy.random`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_IMPURE_CALLS = frozenset({"open", "print", "input", "breakpoint", "exec", "eval"})
_CLOCK_METHODS = frozenset({"now", "utcnow", "today"})


@dataclass(frozen=True, slots=True)
class Module:
    """One source file. Names are dotted; a package's `__init__` carries the package's name."""

    name: str
    path: Path
    inner: frozenset[str]
    outer: frozenset[str]
    touches: frozenset[str]

    @property
    def room(self) -> str:
        """The directory directly under the root package ("" for files that lie in the root itself)."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and (len(parts) > 2 or self.path.name == "__init__.py") else ""


def read_tree(root: Path) -> dict[str, Module]:
    """Every module below the package directory `root`, by dotted name."""
    paths = {_dotted(root, path): path for path in sorted(root.rglob("*.py"))}
    return {name: _read(name, path, paths) for name, path in paths.items()}


def reached(modules: Mapping[str, Module], start: str) -> dict[str, tuple[str, ...]]:
    """Every inner module that loading `start` may load, with the chain of imports that leads there.

    A package's `__init__` runs before its modules, so it is reached with them.
    """
    chains: dict[str, tuple[str, ...]] = {}
    todo: list[tuple[str, tuple[str, ...]]] = [(start, ())]
    while todo:
        name, chain = todo.pop()
        if name in chains:
            continue
        chains[name] = (*chain, name)
        following = {*modules[name].inner, *(parent for parent in _parents(name) if parent in modules)}
        todo.extend((following_name, chains[name]) for following_name in sorted(following))
    return chains


def _dotted(root: Path, path: Path) -> str:
    parts = [root.name, *path.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _read(name: str, path: Path, paths: Mapping[str, Path]) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    inner: set[str] = set()
    outer: set[str] = set()
    top = name.split(".")[0]
    for wanted in _imported(tree, package):
        if wanted.split(".")[0] != top:
            outer.add(wanted)
            continue
        # `from package import name` may mean a module or something inside one: the longest known prefix decides.
        inner.add(next(known for known in (wanted, *_parents(wanted)) if known in paths))
    return Module(name, path, frozenset(inner - {name}), frozenset(outer), frozenset(_touches(tree)))


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                anchor = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*anchor, base] if base else anchor)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _touches(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _IMPURE_CALLS:
            yield f"{node.func.id}()"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CLOCK_METHODS:
            yield f".{node.func.attr}()"
        elif isinstance(node, ast.Attribute) and node.attr == "random" and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.random"
