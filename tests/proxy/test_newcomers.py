"""Who comes too late is turned away, and who was let in is heard."""

from __future__ import annotations

import socket

import pytest

from shadowproxy.proxy.newcomers import turn_away


def test_who_is_turned_away_is_in_no_queue_and_who_was_let_in_is_heard() -> None:
    """Closing the socket would reset whoever connected since the queue was last found empty."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(16)
    address = listening.getsockname()
    early = socket.create_connection(address, timeout=10)
    turn_away(listening)
    with pytest.raises(TimeoutError):
        socket.create_connection(address, timeout=0.2)
    early.sendall(b"said before it was accepted")
    served, _ = listening.accept()
    listening.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=10)
    assert served.recv(100) == b"said before it was accepted"
    served.sendall(b"answered")
    assert early.recv(100) == b"answered"
    early.close()
    served.close()


def test_a_socket_that_takes_no_filter_is_left_as_it_is() -> None:
    sock = socket.socket()
    sock.close()
    turn_away(sock)
    assert sock.fileno() == -1
