"""A request is what it says, and a URL is taken apart once."""

from __future__ import annotations

import pytest

from shadowproxy.bench.address import Address, AddressError, parse
from shadowproxy.bench.plan import request_bytes


def test_a_request_carries_its_length() -> None:
    assert request_bytes("POST", "/v2/x", "h:1", b"{}", {"A": "b"}) == (
        b"POST /v2/x HTTP/1.1\r\nHost: h:1\r\nA: b\r\nContent-Length: 2\r\n\r\n{}"
    )


def test_a_request_without_a_body_has_no_length_and_a_given_host_is_the_only_one() -> None:
    assert request_bytes("GET", "/", "h", b"", {"host": "other"}) == b"GET / HTTP/1.1\r\nhost: other\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h", ("h", 80, False, "/", "h")),
        ("https://h/x?y=1#z", ("h", 443, True, "/x?y=1", "h")),
        ("http://[::1]:8080/a%2Fb//", ("::1", 8080, False, "/a%2Fb//", "[::1]:8080")),
    ],
)
def test_an_address(url: str, expected: tuple[str, int, bool, str, str]) -> None:
    assert parse(url) == Address(url, *expected)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("h:80", "expected a URL such as"),
        ("ftp://h/", "expected a URL such as"),
        ("http://h:port/", "ort"),
        ("http://u:p@h/", "give credentials with --header"),
        ("http://h/\u00e4", "visible ASCII"),
    ],
)
def test_what_load_cannot_be_sent_to_is_said(url: str, said: str) -> None:
    with pytest.raises(AddressError, match=said) as caught:
        parse(url)
    assert "u:p" not in str(caught.value)
