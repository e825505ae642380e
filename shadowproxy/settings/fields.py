"""The kinds of value that keys hold: how each is read, printed back, and described in the schema.

Every reader takes what any of the three formats gives (`Plain` and quoted text, numbers, booleans) and raises a
`PydanticCustomError` whose message is a whole sentence.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from shadowproxy.compare.presets import NAMES
from shadowproxy.settings import syntax, units
from shadowproxy.settings.gates import parse_gate
from shadowproxy.settings.scalar import native, shown, text_of
from shadowproxy.settings.workers import usable_workers

_Reader = Callable[[Any], Any]


def _sentence(message: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{sentence}", {"sentence": message})


def _text(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    raise _sentence(f"expected text, there was {shown(value)}; write it in quotes")


def _parsed(parse: Callable[[str], Any], spelling: Callable[[Any], str] = _text) -> _Reader:
    def read(value: Any) -> Any:
        try:
            return parse(spelling(value))
        except ValueError as e:
            raise _sentence(str(e)) from None

    return read


def _unit_text(value: Any) -> str:
    """Units are read from text; a bare number is shown as it was written, so that its refusal can quote it."""
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return text_of(value)
    return _text(value)


def _schema(pattern: str = "", **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string"} | ({"pattern": pattern} if pattern else {}) | more)


def _read_whole(low: int, high: int) -> _Reader:
    def read(value: Any) -> int:
        number = native(value)
        if isinstance(number, int) and not isinstance(number, bool) and low <= number <= high:
            return number
        span = f"a whole number in {low}–{high}" if low < high else str(low)
        raise _sentence(f"expected {span}, there was {shown(value)}")

    return read


def _read_number(value: Any) -> float:
    number = native(value)
    if isinstance(number, (int, float)) and not isinstance(number, bool) and abs(number) < float("inf"):
        return float(number)
    raise _sentence(f"expected a number, there was {shown(value)}")


def _read_not_negative(value: Any) -> float:
    number = _read_number(value)
    if number < 0:
        raise _sentence(f"expected a number of at least 0, there was {shown(value)}")
    return number


_SWITCH: Final = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


def _read_switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    found = _SWITCH.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise _sentence(f"expected true or false, there was {shown(value)}")
    return found


def _positive(read: _Reader, what: str) -> _Reader:
    def check(value: Any) -> Any:
        number = read(value)
        if isinstance(number, (int, float)) and number <= 0:
            raise _sentence(f"expected a {what} above 0, there was {shown(value)}")
        return number

    return check


def _or_word(word: str, read: _Reader) -> _Reader:
    def either(value: Any) -> Any:
        if value == word:
            return word
        try:
            return read(value)
        except PydanticCustomError as e:
            raise _sentence(e.message().replace("expected ", f"expected {word}, or ", 1)) from None

    return either


def _word_or(form: Callable[[Any], str]) -> PlainSerializer:
    return PlainSerializer(lambda value: value if isinstance(value, str) else form(value))


def _read_path(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("expected the path of a file or directory")
    return os.path.abspath(os.path.expanduser(text))


def _read_file(text: str) -> str:
    path = _read_path(text)
    if not os.path.isfile(path):
        raise ValueError(f"expected a file, there is none at {path}")
    if not os.access(path, os.R_OK):
        raise ValueError(f"expected a file that can be read, {path} cannot")
    return path


def _at_most(most: str, read: _Reader) -> _Reader:
    """`most`: a duration, as one writes it."""
    limit = units.parse_duration(most)

    def check(value: Any) -> Any:
        seconds = read(value)
        if seconds > limit:
            raise _sentence(f"expected a duration of at most {most}, there was {shown(value)}")
        return seconds

    return check


def _read_token(text: str) -> str:
    if not text.isascii() or any(not c.isprintable() or c == " " for c in text):
        raise ValueError("expected a token of printable ASCII characters without spaces")
    return text


def _read_any(value: Any) -> Any:
    """A JSON value: the one place where unquoted text means what YAML says it means."""
    if isinstance(value, dict):
        return {str(key): _read_any(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_read_any(item) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        meant = native(value, quoted_too=False)
        if not isinstance(meant, float) or math.isfinite(meant):
            return meant
    raise _sentence(f"expected a JSON value, there was {shown(value)}")


def _read_workers(value: Any) -> Any:
    return usable_workers() if value == "auto" else _or_word("auto", _read_whole(1, 1024))(value)


_duration: Final = _parsed(units.parse_duration, _unit_text)
_size: Final = _parsed(units.parse_size, _unit_text)
_share: Final = _parsed(units.parse_share, _unit_text)
_DURATION_SCHEMA: Final = _schema(units.DURATION_PATTERN, examples=["250ms", "5s", "2m", "7d"])
_SIZE_SCHEMA: Final = WithJsonSchema(
    {
        "anyOf": [{"type": "string", "pattern": units.SIZE_PATTERN}, {"type": "integer", "minimum": 0}],
        "examples": ["64KiB", "10MiB"],
    }
)
_SHARE_SCHEMA: Final = WithJsonSchema(
    {
        "anyOf": [
            {"type": "string", "pattern": units.SHARE_PATTERN},
            {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        ],
        "examples": ["10%", 0.1],
    }
)

Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, BeforeValidator(_parsed(syntax.name)), _schema(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Switch = Annotated[
    bool, BeforeValidator(_read_switch), WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": [*_SWITCH]}]})
]
Number = Annotated[float, BeforeValidator(_read_number), WithJsonSchema({"type": "number"})]
NotNegative = Annotated[float, BeforeValidator(_read_not_negative), WithJsonSchema({"type": "number", "minimum": 0})]
Count = Annotated[
    int, BeforeValidator(_read_whole(1, 10**9)), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 10**9})
]
CountOrNone = Annotated[
    int, BeforeValidator(_read_whole(0, 10**9)), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 10**9})
]
One = Annotated[int, BeforeValidator(_read_whole(1, 1)), WithJsonSchema({"const": 1})]
Workers = Annotated[
    int,
    BeforeValidator(_read_workers),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": 1024}, {"const": "auto"}]}),
]
Duration = Annotated[
    float,
    BeforeValidator(_positive(_duration, "duration")),
    PlainSerializer(units.format_duration),
    _DURATION_SCHEMA,
]
Wait = Annotated[float, BeforeValidator(_duration), PlainSerializer(units.format_duration), _DURATION_SCHEMA]
AutoDuration = Annotated[
    float | Literal["auto"],
    BeforeValidator(_or_word("auto", _at_most("10m", _positive(_duration, "duration")))),
    _word_or(units.format_duration),
    _schema(rf"^auto$|{units.DURATION_PATTERN}"),
]
DurationOrNever = Annotated[
    float | Literal["never"],
    BeforeValidator(_or_word("never", _positive(_duration, "duration"))),
    _word_or(units.format_duration),
    _schema(rf"^never$|{units.DURATION_PATTERN}"),
]
Size = Annotated[
    int, BeforeValidator(_positive(_size, "size")), PlainSerializer(units.format_size, return_type=str), _SIZE_SCHEMA
]
SizeOrZero = Annotated[int, BeforeValidator(_size), PlainSerializer(units.format_size, return_type=str), _SIZE_SCHEMA]
Share = Annotated[float, BeforeValidator(_share), PlainSerializer(units.format_share, return_type=str), _SHARE_SCHEMA]
Address = Annotated[str, BeforeValidator(_parsed(syntax.address)), _schema(r"^.*:[0-9]+$", examples=["127.0.0.1:8080"])]
AddressOrOff = Annotated[str, BeforeValidator(_or_word("off", _parsed(syntax.address))), _schema(r"^off$|^.*:[0-9]+$")]
Target = Annotated[
    str, BeforeValidator(_parsed(syntax.target)), _schema(r"^[^:].*:[0-9]+$", examples=["graphite.internal:2003"])
]
OriginUrl = Annotated[str, BeforeValidator(_parsed(syntax.origin_url)), _schema(r"^https?://[^/?#@]+/?$")]
TwinUrl = Annotated[
    str,
    BeforeValidator(_or_word("production", _parsed(syntax.origin_url))),
    _schema(r"^production$|^https?://[^/?#@]+/?$"),
]
WebhookUrl = Annotated[str, BeforeValidator(_parsed(syntax.webhook_url)), _schema(r"^https?://")]
Network = Annotated[str, BeforeValidator(_parsed(syntax.network)), _schema(examples=["10.0.0.0/8"])]
Token = Annotated[str, BeforeValidator(_parsed(syntax.token)), _schema()]
Secret = Annotated[str, BeforeValidator(_parsed(_read_token)), _schema()]
Method = Annotated[str, BeforeValidator(_parsed(syntax.method)), _schema(examples=["POST"])]
HeaderName = Annotated[str, BeforeValidator(_parsed(syntax.header_name)), _schema()]
RewritableHeader = Annotated[str, BeforeValidator(_parsed(syntax.rewritable_header)), _schema()]
HeaderValue = Annotated[str, BeforeValidator(_parsed(syntax.header_value)), _schema()]
HostHeader = Annotated[str, BeforeValidator(_parsed(syntax.host_header)), _schema(examples=["preserve", "upstream"])]
JsonPath = Annotated[str, BeforeValidator(_parsed(syntax.json_path)), _schema(r"^\$", examples=["$.predictions[*]"])]
DefiniteJsonPath = Annotated[str, BeforeValidator(_parsed(syntax.definite_json_path)), _schema(r"^\$.")]
JsonValue = Annotated[Any, BeforeValidator(_read_any), WithJsonSchema({})]
ItemKey = Annotated[str, BeforeValidator(_parsed(syntax.item_key)), _schema()]
Preset = Annotated[str, BeforeValidator(_parsed(syntax.preset)), WithJsonSchema({"enum": [*NAMES]})]
Unordered = Annotated[str, BeforeValidator(_parsed(syntax.unordered)), _schema(r"^\$", examples=["$.outputs by name"])]
Ignored = Annotated[str, BeforeValidator(_parsed(syntax.ignored)), _schema(r"^(\$|header:)")]
SampleKey = Annotated[
    str,
    BeforeValidator(_parsed(syntax.source("id", "header", "cookie", "json", one_place=True))),
    _schema(r"^(id$|header:|cookie:|json:\$)"),
]
JoinKey = Annotated[
    str,
    BeforeValidator(_parsed(syntax.source("id", "header", "json", "answer"))),
    _schema(r"^(id$|header:|json:\$|answer:\$)"),
]
SliceSource = Annotated[str, BeforeValidator(_parsed(syntax.source("header", "json"))), _schema(r"^(header:|json:\$)")]
PathGlob = Annotated[str, BeforeValidator(_parsed(syntax.path_glob)), _schema(r"^[/*]")]
LiteralPath = Annotated[str, BeforeValidator(_parsed(syntax.literal_path)), _schema("^/")]
Path = Annotated[str, BeforeValidator(_parsed(_read_path)), _schema()]
ExistingFile = Annotated[str, BeforeValidator(_parsed(_read_file)), _schema()]
GateText = Annotated[
    str,
    BeforeValidator(_parsed(lambda text: parse_gate(text).text)),
    _schema("[<>]=", examples=["error_rate_increase<=0.5pp"]),
]
