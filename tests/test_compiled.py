"""What is compiled where there is a C compiler: that it can be, that nothing breaks where it cannot, and its laws."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench import builds
from tests.support.imports import read_tree
from tests.support.proxy import Proxy
from tests.support.upstream import Upstream
from tests.test_packaging import MANIFEST, REPOSITORY

NAMES: list[str] = MANIFEST["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["compiled"]


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", REPOSITORY / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Application:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_warning(self, text: str) -> None:
        self.warnings.append(text)


def built(hook: ModuleType, names: list[str], version: str = "standard") -> tuple[dict[str, Any], list[str]]:
    """What the hook adds to a wheel of these modules, and its warnings."""
    application = Application()
    data: dict[str, Any] = {"force_include": {}, "pure_python": True, "infer_tag": False}
    one = hook.CompiledModules(str(REPOSITORY), {"compiled": names}, None, None, "", "wheel", application)
    one.initialize(version, data)
    return data, application.warnings


class TestHook:
    @pytest.fixture(autouse=True)
    def as_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SHADOWPROXY_COMPILE", raising=False)

    def test_without_a_compiler_the_wheel_is_the_same_for_all_platforms(
        self, hook: ModuleType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CC", "/nowhere/cc -O2")
        data, (warning,) = built(hook, NAMES)
        assert (data["force_include"], data["pure_python"]) == ({}, True)
        assert "not compiled" in warning
        assert "there is no C compiler: /nowhere/cc" in warning
        assert hook.CompiledModules(str(REPOSITORY), {}, None, None, "", "wheel").dependencies() == []

    def test_what_must_be_compiled_and_cannot_be_fails(self, hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CC", "/nowhere/cc")
        monkeypatch.setenv("SHADOWPROXY_COMPILE", "1")
        with pytest.raises(RuntimeError, match="SHADOWPROXY_COMPILE=1, but there is no C compiler"):
            built(hook, NAMES)

    def test_a_compiler_that_fails_is_quoted(
        self, hook: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        compiler = tmp_path / "cc"
        compiler.write_text("#!/bin/sh\necho 'no space left' >&2\nexit 1\n")
        compiler.chmod(0o755)
        monkeypatch.setenv("CC", str(compiler))
        pytest.importorskip("setuptools", reason="setuptools is not installed")
        data, (warning,) = built(hook, ["shadowproxy/core/budget.py"])
        assert data["pure_python"] is True
        assert "no space left" in warning

    def test_a_wish_that_is_none_is_refused(self, hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHADOWPROXY_COMPILE", "yes")
        with pytest.raises(ValueError, match="SHADOWPROXY_COMPILE is 'yes'; it may be auto, 0 or 1"):
            built(hook, NAMES)

    @pytest.mark.parametrize(("wish", "version"), [("0", "standard"), ("1", "editable")])
    def test_nothing_is_compiled_that_nobody_asked_for(
        self, hook: ModuleType, monkeypatch: pytest.MonkeyPatch, wish: str, version: str
    ) -> None:
        monkeypatch.setenv("SHADOWPROXY_COMPILE", wish)
        data, warnings = built(hook, NAMES, version)
        assert (data["force_include"], data["pure_python"], warnings) == ({}, True, [])

    def test_what_is_compiled_is_imported_in_place_of_its_source(self, hook: ModuleType, tmp_path: Path) -> None:
        pytest.importorskip("setuptools", reason="setuptools is not installed")
        if reason := hook.why_not():
            pytest.skip(reason)
        found = hook.compiled(REPOSITORY, ["shadowproxy/core/budget.py"], tmp_path)
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        assert set(found) == {f"shadowproxy__mypyc{suffix}", f"shadowproxy/core/budget{suffix}"}
        for name, path in found.items():
            path.rename(tmp_path / name)
        asked = "import shadowproxy.core.budget as b; a = b.Budget(10); print(b.__file__, a.take(7), a.take(7))"
        said = subprocess.run(
            [sys.executable, "-c", asked],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert said == [str(tmp_path / f"shadowproxy/core/budget{suffix}"), "True", "False"]


class TestLaws:
    """What mypyc cannot check for us, for it sees the compiled modules alone."""

    def test_each_module_is_there_and_named_once(self) -> None:
        assert [name for name in NAMES if not (REPOSITORY / name).is_file()] == []
        assert len(set(NAMES)) == len(NAMES)

    def test_no_interpreted_class_inherits_from_a_compiled_one(self) -> None:
        """It could not even be defined: the process would not start."""
        compiled = {name.removesuffix(".py").replace("/", ".") for name in NAMES}
        assert _interpreted_heirs(REPOSITORY / "shadowproxy", compiled) == []

    def test_an_interpreted_heir_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "shadowproxy").mkdir()
        (tmp_path / "shadowproxy" / "a.py").write_text("class A: pass\n")
        (tmp_path / "shadowproxy" / "b.py").write_text("from shadowproxy.a import A\nclass B(A): pass\n")
        assert _interpreted_heirs(tmp_path / "shadowproxy", {"shadowproxy.a"}) == ["shadowproxy.b.B"]

    def test_no_name_is_given_to_exceptions_of_two_kinds_in_one_function(self) -> None:
        """mypyc 2.4 takes it for one of them, and the other for a TypeError."""
        found = [
            f"{name}:{line}" for name in NAMES for line in _names_of_two_exceptions((REPOSITORY / name).read_text())
        ]
        assert found == []
        two = "def f():\n try: g()\n except A as e: h(e)\n except B as e: i(e)\n"
        assert _names_of_two_exceptions(two) == [4]

    def test_only_the_worker_refers_weakly_and_to_no_compiled_class(self) -> None:
        """Such a reference outlives the object (mypyc 2.4): to follow it ends the process."""
        modules = read_tree(REPOSITORY / "shadowproxy")
        assert [name for name, module in modules.items() if "weakref" in module.outer] == ["shadowproxy.proxy.worker"]
        assert "shadowproxy/proxy/tether.py" not in NAMES


def _names_of_two_exceptions(source: str) -> list[int]:
    """Lines of handlers whose name another kind of exception has before in the same function."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            kinds: dict[str, str] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.ExceptHandler) and node.name and node.type is not None:
                    kind = ast.unparse(node.type)
                    if kinds.setdefault(node.name, kind) != kind:
                        found.append(node.lineno)
    return found


def _interpreted_heirs(package: Path, compiled: set[str]) -> list[str]:
    """Classes of modules that are not compiled whose base is imported from one that is."""
    found = []
    for name, module in read_tree(package).items():
        tree = ast.parse(module.path.read_text(encoding="utf-8"))
        taken = {
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in compiled
            for alias in node.names
        }
        found += [
            f"{name}.{node.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and name not in compiled
            if any(isinstance(base, ast.Name) and base.id in taken for base in node.bases)
        ]
    return found


class TestProcesses:
    def test_both_builds_write_the_same_lines(self) -> None:
        """Byte for byte: what is compiled might take an integer for the float that its annotation names."""
        if reason := builds.why_not():
            pytest.skip(reason)
        command = [sys.executable, "-m", "tests.support.sample_lines"]
        compiled, interpreted = (
            subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
            for environment in (builds.environment(), builds.interpreted())
        )
        assert (compiled.stderr, interpreted.stderr) == (b".so\n", b".py\n")
        assert compiled.stdout.count(b"\n") > 300
        assert compiled.stdout == interpreted.stdout

    def test_the_worker_runs_what_is_compiled(self, tmp_path: Path) -> None:
        """So that the other end-to-end tests are known to try what is shipped."""
        if reason := builds.why_not():
            pytest.skip(reason)
        with Upstream() as production, Proxy(tmp_path, {"production": {"url": production.url}}) as proxy:
            (worker,) = proxy.pids("worker")
            assert f"{builds.COMPILED}/shadowproxy__mypyc" in Path(f"/proc/{worker}/maps").read_text()
