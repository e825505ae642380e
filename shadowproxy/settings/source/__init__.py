"""A configuration file as a tree of plain values, with the place of every key; the file's name says its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from shadowproxy.settings.problem import Problem, SettingsError
from shadowproxy.settings.source.document import Document

MAX_FILE_BYTES: Final = 4 << 20


def read_file(path: str) -> Document:
    """YAML, or TOML and JSON by the suffixes .toml and .json; `-` is stdin.

    Raises OSError, and SettingsError for other text.
    """
    with open("/dev/stdin" if path == "-" else path, "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise SettingsError([Problem(path, 0, "", f"expected at most {MAX_FILE_BYTES} bytes of configuration")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data.count(b"\n", 0, e.start) + 1
        raise SettingsError([Problem(path, line, "", f"expected UTF-8, there was byte 0x{data[e.start]:02x}")]) from e
    return _READERS.get(Path(path).suffix.lower(), _yaml)(path, text)


def _yaml(path: str, text: str) -> Document:
    from shadowproxy.settings.source.yaml import read_yaml

    return read_yaml(path, text)


def _toml(path: str, text: str) -> Document:
    from shadowproxy.settings.source.toml import read_toml

    return read_toml(path, text)


def _json(path: str, text: str) -> Document:
    from shadowproxy.settings.source.json import read_json

    return read_json(path, text)


_READERS: Final[Mapping[str, Callable[[str, str], Document]]] = MappingProxyType({".toml": _toml, ".json": _json})
