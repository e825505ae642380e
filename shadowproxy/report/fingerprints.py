"""What answers said of the software that made them: by role, and where one upstream said two things in a trial.

Two values of one name on one route are two versions; an answer that says nothing of a name says nothing against it.
"""

from __future__ import annotations

from collections.abc import Iterable

from shadowproxy.pairlog.fingerprint import SERVER, parts_of


def by_role(said: Iterable[tuple[str, str, str]]) -> dict[str, list[str]]:
    """Each of (route, role, fingerprint) once, by role."""
    found: dict[str, dict[str, None]] = {}
    for _, role, fingerprint in said:
        found.setdefault(role, {})[fingerprint] = None
    return {role: list(ones) for role, ones in found.items()}


def are_unlike(said: Iterable[tuple[str, str, str]], a: str, b: str) -> bool:
    """Whether two roles name other versions of one model on one route. A server's own name is no version."""
    seen: dict[tuple[str, str], dict[str, set[str]]] = {}
    for route, role, fingerprint in said:
        for name, value in parts_of(fingerprint):
            seen.setdefault((route, name), {}).setdefault(role, set()).add(value)
    return any(
        name != SERVER and a in roles and b in roles and roles[a].isdisjoint(roles[b])
        for (_, name), roles in seen.items()
    )


def mixed(said: Iterable[tuple[str, str, str]]) -> dict[str, list[str]]:
    """By role, the parts of which a route has seen two values."""
    seen: dict[tuple[str, str, str], dict[str, None]] = {}
    for route, role, fingerprint in said:
        for name, value in parts_of(fingerprint):
            seen.setdefault((role, route, name), {})[value] = None
    found: dict[str, dict[str, None]] = {}
    for (role, _, name), values in seen.items():
        if len(values) > 1:
            found.setdefault(role, {}).update(dict.fromkeys(f"{name}={value}" for value in values))
    return {role: list(parts) for role, parts in found.items()}
