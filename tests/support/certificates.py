"""A private certificate authority for TLS tests, written as PEM files."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its key, as files."""

    certificate: str
    key: str


class Authority:
    """Issues certificates into `folder`; `ca` is the path of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.ca = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca)

    def issue(self, *names: str, expired: bool = False) -> Identity:
        until = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1) if expired else None
        leaf = self._ca.issue_cert(*names, not_after=until, key_type=trustme.KeyType.ECDSA)
        stem = f"{names[0].replace('*', 'any')}{'-expired' if expired else ''}"
        certificate, key = self._folder / f"{stem}.pem", self._folder / f"{stem}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(str(key))
        return Identity(str(certificate), str(key))

    def server(self, identity: Identity, *, ask_client: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.certificate, identity.key)
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca)
        return context

    def client(self, identity: Identity | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.key)
        return context
