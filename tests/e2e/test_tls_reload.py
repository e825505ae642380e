"""TLS towards clients changes while the proxy runs: another certificate, other clients, TLS switched on and off.

What is under way ends as it began, and no request is lost.
"""

from __future__ import annotations

import shutil
import signal
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.api import Api
from tests.support.certificates import Authority, Identity
from tests.support.client import Client, ask, get
from tests.support.message import Ended
from tests.support.proxy import Proxy
from tests.support.until import until
from tests.support.upstream import Connection, Request, Upstream, response

NAMES = ("127.0.0.1", "localhost")


class World:
    """A production whose answers to `/held` wait for `go`, and two authorities with a certificate each."""

    def __init__(self, folder: Path, production: Upstream) -> None:
        self.folder = folder
        self.production = production
        self.go = threading.Event()
        self.authorities = {name: Authority(folder / name) for name in ("old", "new")}
        self.certificates = {name: authority.issue(*NAMES) for name, authority in self.authorities.items()}
        production.handler = self._answer

    def _answer(self, connection: Connection, request: Request) -> None:
        if request.target == b"/held":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe")
            self.go.wait(30)
            connection.send(b"ld")
        else:
            connection.send(response(b"at once"))

    def tls(self, name: str, **more: Any) -> dict[str, Any]:
        identity = self.certificates[name]
        return {"tls": {"certificate": identity.certificate, "key": identity.key, **more}}

    def config(self, tls: dict[str, Any]) -> dict[str, Any]:
        return {"production": {"url": self.production.url}, "workers": 2, **tls}

    def trusting(self, name: str, identity: Identity | None = None) -> ssl.SSLContext:
        return self.authorities[name].client(identity)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(tmp_path, stack.enter_context(Upstream()))


def reload(proxy: Proxy, tls: dict[str, Any]) -> None:
    """The file with other TLS settings, by the API: it returns when that is in force."""
    rest = {key: value for key, value in proxy.config.items() if key != "tls"}
    proxy.file.write_text(yaml.safe_dump({**rest, **tls}))
    Api(proxy.admin_url.removeprefix("http://")).did("/api/v1/reload")


def speaks(proxy: Proxy, tls: ssl.SSLContext | None) -> bool:
    """Whether a new connection of this kind is answered."""
    try:
        return ask(proxy.address, get("/"), tls=tls).status == 200
    except (OSError, Ended):
        return False


def all_speak(proxy: Proxy, tls: ssl.SSLContext | None) -> bool:
    """20 connections in a row: the kernel deals them out to both workers."""
    return all(speaks(proxy, tls) for _ in range(20))


def test_a_renewed_certificate_is_shown_from_a_hang_up_on_and_connections_that_are_there_stay(
    world: World, tmp_path: Path
) -> None:
    """As certbot does it: the files are replaced where they are."""
    shown = Identity(str(tmp_path / "shown.pem"), str(tmp_path / "shown.key"))

    def show(name: str) -> None:
        shutil.copy(world.certificates[name].certificate, shown.certificate)
        shutil.copy(world.certificates[name].key, shown.key)

    show("old")
    tls = {"tls": {"certificate": shown.certificate, "key": shown.key}}
    with (
        Proxy(tmp_path / "proxy", world.config(tls)) as proxy,
        Client(proxy.address, tls=world.trusting("old")) as held,
        Client(proxy.address, tls=world.trusting("old")) as idle,
    ):
        assert idle.ask(get("/")).status == 200
        held.send(get("/held"))
        held.read_head()
        pids = proxy.pids("worker")
        show("new")
        proxy.signal(signal.SIGHUP)
        until(lambda: all_speak(proxy, world.trusting("new")), 20, "the new certificate", 0.1)
        assert not speaks(proxy, world.trusting("old"))
        world.go.set()
        until(lambda: b"held" in held.wire.buffer or not held.wire.fill(), 10, "the rest of the answer")
        assert held.wire.buffer == b"held"
        assert idle.ask(get("/")).status == 200
        assert proxy.pids("worker") == pids


def test_a_file_that_is_no_certificate_changes_nothing(world: World, tmp_path: Path) -> None:
    with Proxy(tmp_path / "proxy", world.config(world.tls("old"))) as proxy:
        bad = tmp_path / "bad.pem"
        bad.write_text("no certificate")
        key = world.certificates["new"].key
        proxy.file.write_text(yaml.safe_dump({**proxy.config, "tls": {"certificate": str(bad), "key": key}}))
        said = Api(proxy.admin_url.removeprefix("http://")).post("/api/v1/reload")
        assert said.status == 409
        assert "Nothing was changed" in said.body["detail"]
        assert all_speak(proxy, world.trusting("old"))


def test_whose_clients_are_let_in_changes_with_a_reload(world: World, tmp_path: Path) -> None:
    """An authority that was taken out of the file is trusted no longer; without one, nobody needs a certificate."""
    of_old, of_new = (world.authorities[name].issue("client.test") for name in ("old", "new"))
    with Proxy(tmp_path / "proxy", world.config(world.tls("old", client_ca=world.authorities["old"].ca))) as proxy:
        assert all_speak(proxy, world.trusting("old", of_old))
        assert not speaks(proxy, world.trusting("old", of_new))
        with Client(proxy.address, tls=world.trusting("old", of_old)) as idle:
            assert idle.ask(get("/")).status == 200
            reload(proxy, world.tls("old", client_ca=world.authorities["new"].ca))
            until(lambda: all_speak(proxy, world.trusting("old", of_new)), 20, "the new authority's clients", 0.1)
            assert not any(speaks(proxy, world.trusting("old", of_old)) for _ in range(20))
            assert idle.ask(get("/")).status == 200
        reload(proxy, world.tls("old"))
        until(lambda: all_speak(proxy, world.trusting("old")), 20, "clients without a certificate", 0.1)


@pytest.mark.parametrize("is_on", [False, True], ids=["added", "removed"])
def test_tls_is_switched_while_requests_are_under_way(world: World, tmp_path: Path, is_on: bool) -> None:
    """The workers are replaced: what they have begun they finish, as it began, and say that the connection ends."""
    tls, trusting = world.tls("old"), world.trusting("old")
    before, after = (trusting, None) if is_on else (None, trusting)
    with (
        Proxy(tmp_path / "proxy", world.config(tls if is_on else {})) as proxy,
        Client(proxy.address, tls=before) as held,
        Client(proxy.address, tls=before) as idle,
    ):
        assert idle.ask(get("/")).status == 200
        held.send(get("/held"))
        held.read_head()
        pids = set(proxy.pids("worker"))
        reload(proxy, {} if is_on else tls)
        until(lambda: all_speak(proxy, after), 20, "the other kind of connection", 0.1)
        assert not any(speaks(proxy, before) for _ in range(20))
        assert idle.wait_end() == "fin"
        assert len(pids & set(proxy.pids("worker"))) >= 1  # who still answers
        world.go.set()
        until(lambda: b"held" in held.wire.buffer or not held.wire.fill(), 10, "the rest of the answer")
        assert held.wire.buffer == b"held"
        assert held.wait_end() == "fin"
        until(lambda: not pids & set(proxy.pids("worker")), 20, "the end of those who spoke the other way")
