"""The sockets that outlive every worker."""

from __future__ import annotations

import errno
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shadowproxy.supervisor import sockets
from shadowproxy.supervisor.errors import StartError


@contextmanager
def slots(address: str, count: int) -> Iterator[list[socket.socket]]:
    opened = sockets.open_slots(address, count)
    try:
        yield opened
    finally:
        sockets.close(opened)


def test_all_slots_share_the_port_that_port_0_became() -> None:
    with slots("127.0.0.1:0", 3) as opened:
        assert len({sock.getsockname() for sock in opened}) == 1
        assert all(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) for sock in opened)
        assert all(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) for sock in opened)
        assert not any(sock.getblocking() for sock in opened)
        with socket.create_connection(opened[0].getsockname(), timeout=5):
            pass


def test_a_second_proxy_does_not_join_the_first_ones_port() -> None:
    with slots("127.0.0.1:0", 2) as opened:
        address = sockets.bound_address(opened[0], "127.0.0.1:0")
        with pytest.raises(StartError, match=f"cannot listen on {address}: another process listens there"):
            sockets.open_slots(address, 2)
        with pytest.raises(StartError, match="another process listens there"):
            sockets.open_admin(address)


def test_a_port_that_is_only_reserved_can_be_taken() -> None:
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        with slots(f"127.0.0.1:{reserved.getsockname()[1]}", 2) as opened:
            assert opened[0].getsockname() == reserved.getsockname()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "choose one above 1023 or grant CAP_NET_BIND_SERVICE"),
        (errno.EADDRNOTAVAIL, "no interface of this machine has that address"),
        (errno.ENOBUFS, os.strerror(errno.ENOBUFS)),
    ],
)
def test_why_a_bind_failed_is_one_sentence(monkeypatch: pytest.MonkeyPatch, number: int, advice: str) -> None:
    class Refusing(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(sockets.socket, "socket", Refusing)
    with pytest.raises(StartError, match=f"^cannot listen on 127.0.0.1:80: .*{advice}$"):
        sockets.open_slots("127.0.0.1:80", 1)


def test_a_name_that_does_not_resolve_is_said() -> None:
    with pytest.raises(StartError, match=r"cannot listen on nowhere\.invalid:80: "):
        sockets.open_slots("nowhere.invalid:80", 1)


@pytest.mark.parametrize(
    ("address", "split"),
    [
        ("127.0.0.1:80", ("127.0.0.1", 80)),
        ("[::1]:8080", ("::1", 8080)),
        (":8080", ("", 8080)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_addresses_are_split(address: str, split: tuple[str, int]) -> None:
    assert sockets.split_address(address) == split


@pytest.mark.parametrize("address", ["", "host", "host:", "host:http", "host:65536", "host:-1", "host:٣"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(StartError, match="expected HOST:PORT"):
        sockets.split_address(address)


@pytest.mark.parametrize(
    ("address", "told"), [("127.0.0.1:0", "127.0.0.1:"), ("localhost:0", "localhost:"), (":0", "0.0.0.0:")]
)
def test_the_address_is_told_as_it_was_configured_with_its_real_port(address: str, told: str) -> None:
    with slots(address, 1) as opened:
        bound = sockets.bound_address(opened[0], address)
        assert bound == f"{told}{opened[0].getsockname()[1]}"


def test_the_recorders_socket_is_private_and_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    directory = sockets.RuntimeDirectory()
    assert stat.S_IMODE(os.stat(directory.path).st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(directory.recorder_path)
    directory.remove()
    assert list(tmp_path.iterdir()) == []


def test_where_temporary_files_lie_too_deep_for_a_socket_it_lies_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep, short = tmp_path / ("d" * 120), tempfile.mkdtemp(prefix="s-", dir="/tmp")
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    monkeypatch.setattr(sockets, "SHORT_PLACES", ("/nowhere", short))
    directory = sockets.RuntimeDirectory()
    assert os.path.dirname(directory.path) == short
    directory.remove()
    os.rmdir(short)
    assert list(deep.iterdir()) == []


def test_a_directory_too_deep_for_a_socket_is_said_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    monkeypatch.setattr(sockets, "SHORT_PLACES", ())
    with pytest.raises(StartError, match="set TMPDIR"):
        sockets.RuntimeDirectory()
    assert list(deep.iterdir()) == []


def test_no_place_for_the_directory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr(sockets, "LONGEST_PATH", 1000)
    with pytest.raises(StartError, match=r"cannot make a directory for the recorder's socket: .*; set TMPDIR"):
        sockets.RuntimeDirectory()
