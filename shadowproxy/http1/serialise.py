"""Heads as they leave: the raw lines that came, less what must not pass, plus what the proxy says itself.

Law: a line that passes is the line that came, byte for byte and in its place. Lines are dropped first, ours are added
after them, so nothing that we add can be named by a Connection field.
"""

from __future__ import annotations

from shadowproxy.http1.answer import CHUNKED, AnswerHead
from shadowproxy.http1.request import RequestHead


def request_head(head: RequestHead, host: bytes) -> bytes:
    """Production's request up to where the proxy's own lines and the empty line follow.

    `host`: the authority to send, empty to leave it as it is.
    """
    if head.plain and not host and not head.drop:
        raw = head.raw[:-2]
    else:
        out = head.lines[:-2]
        if not head.plain:
            out[0] = b"%b %b HTTP/1.1" % (head.method, head.target)
        if host and head.host_line:
            out[head.host_line] = b"Host: " + host
        elif not head.host_line:
            out.append(b"Host: " + (host or head.host))
        for number in head.drop:
            del out[number]
        raw = b"\r\n".join(out) + b"\r\n"
    return raw + _own_hop(head) if head.seldom else raw


def _own_hop(head: RequestHead) -> bytes:
    """Hop-by-hop lines that are said anew."""
    lines = b"Transfer-Encoding: chunked\r\n" if head.chunked else b""
    if head.websocket:
        lines += b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    elif head.te_trailers:
        lines += b"Connection: TE\r\nTE: trailers\r\n"
    return lines


def copy_head(
    head: RequestHead,
    target: bytes,
    host: bytes,
    without: frozenset[bytes],
    keep_credentials: bool,
    body_length: int,
) -> bytes:
    """A copy's request: its own Content-Length, no Expect, no credentials unless `keep_credentials`.

    The proxy's own lines and the empty line follow it. `without`: names (lower case) of further fields that the copy
    does not get; `host`: empty to leave it as it is.
    """
    out = head.lines[:-2]
    if not head.plain or target is not head.target:
        out[0] = b"%b %b HTTP/1.1" % (head.method, target)
    if head.host_line:
        if host:
            out[head.host_line] = b"Host: " + host
    else:
        out.append(b"Host: " + (host or head.host))
    for number in head.copy_drop_trusted if keep_credentials else head.copy_drop:
        del out[number]
    if without:
        out[1:] = [line for line in out[1:] if line[: line.find(b":")].lower() not in without]
    out.append(b"Content-Length: %d\r\n" % body_length)
    return b"\r\n".join(out)


def passed_head(head: AnswerHead) -> bytes:
    """The head of an answer in one piece as most clients get it: HTTP/1.1, and the connection stays."""
    if not head.passed:
        head.passed = answer_head(head, old_client=False, close=False)
    return head.passed


def answer_head(head: AnswerHead, *, old_client: bool, close: bool, added: bytes = b"") -> bytes:
    """The answer's head for the client: production's lines, our framing. `close`: the connection ends after it."""
    if head.framing >= CHUNKED and not old_client:
        added += b"Transfer-Encoding: chunked\r\n"
    if head.status == 101:
        added += b"Connection: Upgrade\r\n"
    elif close:
        added += b"Connection: close\r\n"
    elif old_client:
        added += b"Connection: keep-alive\r\n"
    if not head.drop and not head.old:
        return head.raw[:-2] + added + b"\r\n" if added else head.raw
    out = head.raw.split(b"\r\n")[:-2]
    if head.old:
        out[0] = b"HTTP/1.1" + out[0][8:]
    for number in head.drop:
        if not (head.status == 101 and out[number][:8].lower() == b"upgrade:"):
            del out[number]
    return b"\r\n".join(out) + b"\r\n" + added + b"\r\n"
