"""What is known about model servers' protocols, as data: a further protocol is a further row of `PRESETS`.

Paths of requests are patterns in which `*` stands for one segment. Under `protocol: auto` an answer is taken for a
protocol when the request's path fits and its body has the members in `shape`; a route that names the protocol
expects every answer to have it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    paths: tuple[str, ...]
    methods: tuple[str, ...] = ("POST",)
    shape: tuple[str, ...] = ()  # members that an answer of this protocol has
    error: str | None = "error"  # a 2xx answer with this member is an error
    ignore: tuple[str, ...] = ()  # differ between servers or requests without meaning
    keyed: tuple[tuple[str, str], ...] = ()  # (path of an array of objects, member by which they are paired)
    flat: tuple[str, ...] = ()  # arrays that may come nested or row-major
    # What was decided: a reader of `decisions.READERS`, or "path" with a JSONPath and a kind of prediction.
    reader: str = "path"
    at: str | None = None
    kind: str = "opaque"


PRESETS: Final = (
    Preset(
        name="open-inference",  # Open Inference Protocol v2: KServe, Triton, MLServer, Seldon Core 2, OpenVINO
        paths=("/v2/models/*/infer", "/v2/models/*/versions/*/infer"),
        shape=("outputs",),
        ignore=("$.id", "$.model_name", "$.model_version", "$.parameters"),
        keyed=(("$.outputs", "name"),),
        flat=("$.outputs[*].data",),
        reader="tensors",
    ),
)

BY_NAME: Final = {preset.name: preset for preset in PRESETS}
# What `protocol` may say besides a preset's name: recognise it, or there is none.
AUTO: Final = "auto"
NONE: Final = "none"
NAMES: Final = (AUTO, NONE, *BY_NAME)


def _pattern(preset: Preset) -> re.Pattern[str]:
    paths = ("/".join("[^/]+" if part == "*" else re.escape(part) for part in path.split("/")) for path in preset.paths)
    return re.compile(f"(?:{'|'.join(paths)})/?")


_RECOGNISED = tuple((preset, _pattern(preset)) for preset in PRESETS)


def recognise(method: str, target: str) -> Preset | None:
    """The preset that a request's method and target fit; the query says nothing."""
    path = target.partition("?")[0]
    for preset, pattern in _RECOGNISED:
        if method in preset.methods and pattern.fullmatch(path):
            return preset
    return None
