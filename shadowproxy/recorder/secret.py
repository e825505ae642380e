"""The key of redaction: from the settings, or made once and kept in `state`, readable by nobody else."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = "redaction.key"
_KEY_BYTES: Final = 32
_SHORTEST: Final = 16


class Secret(NamedTuple):
    key: bytes
    trouble: str  # why the key could not be kept, "" when it lasts


def redaction_key(given: str, state: str) -> Secret:
    """A key that cannot be kept still hides; equal values only stay equal until the recorder ends."""
    if given:
        return Secret(given.encode(), "")
    if not state:
        return Secret(secrets.token_bytes(_KEY_BYTES), "there is no state directory")
    path = Path(state) / FILE
    try:
        return Secret(_kept(path), "")
    except OSError as e:
        return Secret(secrets.token_bytes(_KEY_BYTES), f"{path}: {e.strerror}")


def _kept(path: Path) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole under another name first: nobody may read half a key.
    draft = path.with_name(f"{FILE}.{os.getpid()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, secrets.token_hex(_KEY_BYTES).encode())
        os.fsync(fd)
        os.link(draft, path)
    except FileExistsError:
        pass  # another recorder was faster: its key is everybody's
    finally:
        os.close(fd)
        draft.unlink()
    return _read(path)


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if stat.S_IMODE(os.fstat(fd).st_mode) & 0o077:
            os.fchmod(fd, 0o600)
        key = os.read(fd, 4096).strip()
    finally:
        os.close(fd)
    if len(key) < _SHORTEST:
        raise OSError(0, f"expected a key of at least {_SHORTEST} bytes, found {len(key)}")
    return key
