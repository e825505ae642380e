"""Fields that differ more often than noise: which of many, without crying wolf.

On pairs with a twin, b = the candidate's field differs from production's and the twin's does not, c = the other way
round. If the candidate behaves as production, either is as likely. Each field gets a one-sided e-value and e-BH flags
over all.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

from shadowproxy.stats import evalues

K = TypeVar("K", bound=Hashable)


class Flag(NamedTuple):
    e_value: float
    flagged: bool


def flags(alone: Mapping[K, tuple[float, float]], alpha: float) -> dict[K, Flag]:
    """`alone`: each field's (b, c). Where failures come in bursts give buckets with b > c and with c > b instead."""
    if not alone:
        return {}
    logs = [float(evalues.log_one_sided(b, c)[0]) for b, c in alone.values()]
    found = evalues.discoveries(logs, alpha)
    return {field: Flag(evalues.e_value(log), bool(flag)) for field, log, flag in zip(alone, logs, found, strict=True)}
