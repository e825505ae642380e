"""Small grammars inside values: addresses, URLs, JSONPaths, sources of a key, header names. Pure text in, text out.

Each function returns the value in its canonical spelling, or raises ValueError with a sentence.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from shadowproxy.compare.jsonpath import compile_path
from shadowproxy.compare.presets import NAMES
from shadowproxy.compare.rules import BY
from shadowproxy.settings.problem import suggestion

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?", re.ASCII)
_SPLITTABLE: Final = re.compile(r"(?![0-9]+\Z)[^.\[\]'\"]+")
_FRAMING: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


def name(text: str) -> str:
    """Of an upstream or route: it becomes a metric's label, a part of URLs and of trial ids."""
    if not _NAME.fullmatch(text):
        raise ValueError(f"expected a name of 1–64 letters, digits and . _ - between them, there was {text!r}")
    return text


def address(text: str) -> str:
    """`HOST:PORT`; `:PORT` means all interfaces, IPv6 stands in brackets, port 0 lets the system choose."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT, there was {text!r}")
    return f"{_host(host or '0.0.0.0', text)}:{int(port)}"


def target(text: str) -> str:
    """`HOST:PORT` of somebody else."""
    found = address(text)
    if text.startswith(":") or found.endswith(":0"):
        raise ValueError(f"expected HOST:PORT of a server, there was {text!r}")
    return found


def _host(host: str, text: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]"
        except ValueError:
            raise ValueError(f"expected an IPv6 address in brackets, there was {text!r}") from None
    if not _HOST.fullmatch(host):
        raise ValueError(f"expected HOST:PORT, there was {text!r}; an IPv6 address stands in brackets")
    return host.lower()


def is_loopback(listen: str) -> bool:
    """Whether a canonical address can be reached from this machine only."""
    host = listen.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_url(text: str) -> str:
    """`http(s)://HOST[:PORT]` and nothing more; a lone trailing slash is dropped."""
    expected = "expected scheme, host and port as in http://127.0.0.1:9001"
    if "@" in text:  # before any message that would repeat a password
        raise ValueError(f"{expected}, without user and password; give credentials in headers.set.Authorization")
    if "://" not in text:
        near = f"; did you mean http://{text}?" if _looks_like_host(text) else ""
        raise ValueError(f"{expected}, there was {text!r}{near}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{expected}, there was {text!r}") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{expected}, there was the scheme {parts.scheme!r}")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        rest = text.split(parts.netloc, 1)[1]
        raise ValueError(f"{expected}, without {rest!r}; did you mean {parts.scheme}://{parts.netloc}?")
    if not parts.hostname or port == 0:
        raise ValueError(f"{expected}, there was {text!r}")
    host = _host(f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname, text)
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _looks_like_host(text: str) -> bool:
    try:
        return bool(address(text))
    except ValueError:
        return False


def webhook_url(text: str) -> str:
    """Any http(s) URL. Its path is often a secret, so messages do not repeat it."""
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii() or not text.isprintable():
        raise ValueError("expected an http:// or https:// URL")
    return text


def network(text: str) -> str:
    """A CIDR, or a single address."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"expected a network such as 10.0.0.0/8, there was {text!r}") from None


def token(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"expected letters, digits and !#$%&'*+-.^_`|~ only, there was {text!r}")
    return text


def header_name(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"expected the name of a header, there was {text!r}")
    return text


def rewritable_header(text: str) -> str:
    """A header that a copy may be given or denied: none that frames the message or names its target."""
    if header_name(text).lower() in _FRAMING:
        hint = "; set the key host instead" if text.lower() == "host" else ""
        raise ValueError(f"expected a header that does not frame the message, there was {text}{hint}")
    return text


def header_value(text: str) -> str:
    if text != text.strip() or any(not 32 <= ord(c) < 127 and c != "\t" for c in text):
        raise ValueError("expected a header's value: printable ASCII without line breaks or spaces around it")
    return text


def method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"expected an HTTP method, there was {text!r}")
    if text == "CONNECT":
        raise ValueError("expected a method that is proxied; CONNECT never is")
    if text.upper() in _METHODS and text not in _METHODS:
        raise ValueError(f"expected an HTTP method, there was {text!r}; did you mean {text.upper()}?")
    return text


def json_path(text: str) -> str:
    """What `compare.jsonpath` can follow."""
    if not text.startswith("$"):
        near = f"; did you mean $.{text}?" if _is_json_path(f"$.{text}") else ""
        raise ValueError(f"expected a JSONPath such as $.items[*].label, there was {text!r}{near}")
    compile_path(text)
    return text


def _is_json_path(text: str) -> bool:
    try:
        return bool(compile_path(text).segments)
    except ValueError:
        return False


def definite_json_path(text: str) -> str:
    """A JSONPath that names one place inside the body: names and indexes only."""
    segments = compile_path(json_path(text)).segments
    if not segments or any(s.deep or not isinstance(s.selector, (str, int)) for s in segments):
        raise ValueError(f"expected a JSONPath to one place inside the body, of names and indexes, there was {text!r}")
    # Workers walk such paths with a splitter of their own: they must not load the comparison's.
    if any(isinstance(s.selector, str) and not _SPLITTABLE.fullmatch(s.selector) for s in segments):
        raise ValueError(f"expected a JSONPath whose names have no dots, brackets or quotes, there was {text!r}")
    return text


def item_key(text: str) -> str:
    """What items of a batch are paired by: a member's name, or a JSONPath from the body's root."""
    return json_path(text) if text.startswith("$") else _not_empty(text)


def _not_empty(text: str) -> str:
    if not text:
        raise ValueError("expected the name of a member, or a JSONPath")
    return text


def preset(text: str) -> str:
    """`auto`, `none`, or the name of a model server's protocol."""
    if text not in NAMES:
        raise ValueError(
            f"expected {', '.join(NAMES[:-1])} or {NAMES[-1]}, there was {text!r}{suggestion(text, NAMES)}"
        )
    return text


_SOURCES: Final[dict[str, Callable[[str], str]]] = {
    "header": header_name,
    "cookie": token,
    "json": json_path,
    "answer": json_path,
}
_ONE_PLACE: Final[dict[str, Callable[[str], str]]] = _SOURCES | {"json": definite_json_path}
_SOURCE_SPELLINGS: Final = {
    "id": "id",
    "header": "header:NAME",
    "cookie": "cookie:NAME",
    "json": "json:$.path",
    "answer": "answer:$.path",
}


def source(*kinds: str, one_place: bool = False) -> Callable[[str], str]:
    """A parser of `id`, `header:NAME`, `cookie:NAME`, `json:$.path`, `answer:$.path`, as far as `kinds` allow.

    `one_place`: a worker reads it, so that its path is of names and indexes only.
    """
    parsers = _ONE_PLACE if one_place else _SOURCES
    expected = "expected " + ", ".join(_SOURCE_SPELLINGS[kind] for kind in kinds)

    def parse(text: str) -> str:
        kind, colon, rest = text.partition(":")
        if kind not in kinds or bool(colon) is (kind == "id"):
            raise ValueError(f"{expected}, there was {text!r}")
        if colon:
            parsers[kind](rest)
        return text

    return parse


def ignored(text: str) -> str:
    """What a comparison leaves out: a JSONPath, or `header:NAME`."""
    if text.startswith("header:"):
        header_name(text.removeprefix("header:"))
        return text
    return json_path(text)


def unordered(text: str) -> str:
    """A JSONPath to a list whose order does not matter; `PATH by MEMBER` pairs the objects in it by that member."""
    path, by, member = text.partition(BY)
    if by and not member.strip():
        raise ValueError(f"expected the name of a member behind {BY.strip()!r}, there was {text!r}")
    return f"{json_path(path.strip())}{BY}{member.strip()}" if by else json_path(text)


def path_glob(text: str) -> str:
    """`*` matches within a segment, `**` across segments."""
    if not text.startswith(("/", "*")):
        raise ValueError(f"expected a path that begins with / or *, there was {text!r}; did you mean /{text}?")
    if "{" in text or "?" in text or "#" in text:
        raise ValueError(f"expected a path with * and ** for what varies, without {{ ? #, there was {text!r}")
    return text


def literal_path(text: str) -> str:
    if not text.startswith("/") or any(not 33 <= ord(c) < 127 for c in text):
        raise ValueError(f"expected a path that begins with / in printable ASCII, there was {text!r}")
    return text


def host_header(text: str) -> str:
    """`preserve`, `upstream`, or a literal Host header."""
    if text in ("preserve", "upstream"):
        return text
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host = text
    if (colon and not port.isdigit()) or not (_HOST.fullmatch(host) or re.fullmatch(r"\[[0-9A-Fa-f:.]+\]", host)):
        raise ValueError(f"expected preserve, upstream or a host name, there was {text!r}")
    return text
