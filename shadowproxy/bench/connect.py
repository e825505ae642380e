"""How a connection of the load, or of its probe, is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from shadowproxy.bench.connection import Connection
from shadowproxy.bench.plan import Plan

Made = TypeVar("Made", bound=Connection)


async def connect(plan: Plan, make: Callable[[], Made]) -> tuple[asyncio.Transport, Made]:
    """Raises OSError, also where connection and TLS handshake together take longer than `plan.timeout_s`."""
    address = plan.address
    try:
        async with asyncio.timeout(plan.timeout_s):
            return await asyncio.get_running_loop().create_connection(
                make,
                address.host,
                address.port,
                ssl=plan.tls if address.tls else None,
                server_hostname=address.host if address.tls else None,
            )
    except TimeoutError:
        raise OSError(f"no connection within {plan.timeout_s:g} s") from None
