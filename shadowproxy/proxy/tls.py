"""TLS contexts, both sides: TLS 1.2 at least, ALPN http/1.1, private CAs, client certificates."""

from __future__ import annotations

import ssl

from shadowproxy.settings.snapshot import DownstreamTls, UpstreamTls


def upstream_context(tls: UpstreamTls) -> ssl.SSLContext:
    """Raises OSError or ssl.SSLError when a file is missing or is no certificate."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    return context


def downstream_context(tls: DownstreamTls) -> ssl.SSLContext:
    """Raises OSError or ssl.SSLError when a file is missing or is no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
