"""An address that cannot be had is told before anything is started."""

from __future__ import annotations

import pytest

from shadowproxy.demo.address import free
from shadowproxy.demo.errors import DemoError


def test_any_free_port_will_do() -> None:
    assert free("127.0.0.1:0") == "127.0.0.1:0"


def test_a_taken_port_is_told(taken_port: int) -> None:
    with pytest.raises(
        DemoError, match=rf"cannot listen on 127\.0\.0\.1:{taken_port}: address already in use; --listen"
    ):
        free(f"127.0.0.1:{taken_port}")


def test_a_foreign_address_is_told() -> None:
    with pytest.raises(DemoError, match=r"cannot listen on 192\.0\.2\.1:8080: cannot assign requested address"):
        free("192.0.2.1:8080")


@pytest.mark.parametrize("listen", ["8080", "localhost", "127.0.0.1:http", "::1:80"])
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        free(listen)
