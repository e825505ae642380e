from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from shadowproxy.proxy import tls
from shadowproxy.settings.snapshot import DownstreamTls, UpstreamTls
from tests.support.certificates import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A handshake through memory; returns the client's side, or raises what either side says."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    assert not waiting
    to_client.write(b"")
    return ours


def server_of(authority: Authority, name: str = "model.test", client_ca: str | None = None) -> ssl.SSLContext:
    identity = authority.issue(name)
    return tls.downstream_context(
        DownstreamTls(certificate=identity.certificate, key=identity.key, client_ca=client_ca)
    )


def test_a_private_ca_is_trusted_and_http_1_1_agreed_upon(authority: Authority) -> None:
    made = shake(tls.upstream_context(UpstreamTls(ca=authority.ca)), server_of(authority), "model.test")
    assert made.version() in ("TLSv1.2", "TLSv1.3")
    assert made.selected_alpn_protocol() == "http/1.1"


def test_a_certificate_of_an_unknown_ca_is_refused(authority: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(tls.upstream_context(UpstreamTls()), server_of(authority), "model.test")


def test_a_certificate_of_another_name_is_refused(authority: Authority) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(tls.upstream_context(UpstreamTls(ca=authority.ca)), server_of(authority, "other.test"), "model.test")


def test_verification_can_be_switched_off(authority: Authority) -> None:
    client = tls.upstream_context(UpstreamTls(verify=False))
    assert shake(client, server_of(authority, "other.test"), "model.test").version()


def test_a_client_s_certificate_is_asked_for_and_shown(authority: Authority) -> None:
    server = server_of(authority, client_ca=authority.ca)
    assert server.verify_mode == ssl.CERT_REQUIRED
    identity = authority.issue("proxy.test")
    settings = UpstreamTls(ca=authority.ca, certificate=identity.certificate, key=identity.key)
    assert shake(tls.upstream_context(settings), server, "model.test").version()
    old = tls.upstream_context(UpstreamTls(ca=authority.ca))
    old.maximum_version = ssl.TLSVersion.TLSv1_2  # in 1.3 the client learns of the refusal only when it reads
    with pytest.raises(ssl.SSLError):
        shake(old, server, "model.test")


@pytest.mark.parametrize("side", ["downstream", "upstream"])
def test_versions_before_1_2_are_not_spoken(authority: Authority, side: str) -> None:
    context = server_of(authority) if side == "downstream" else tls.upstream_context(UpstreamTls())
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_missing_file_or_one_that_is_no_certificate_is_told(authority: Authority, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    missing = str(tmp_path / "missing.pem")
    for path in (str(garbage), missing):
        with pytest.raises((OSError, ssl.SSLError)):
            tls.downstream_context(DownstreamTls(certificate=path, key=path))
        with pytest.raises((OSError, ssl.SSLError)):
            tls.upstream_context(UpstreamTls(ca=path))
        with pytest.raises((OSError, ssl.SSLError)):
            tls.upstream_context(UpstreamTls(certificate=path, key=path))
