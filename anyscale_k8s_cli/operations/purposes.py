"""Every purpose that is declared for a platform, and which of them somebody means."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.purposes import PURPOSES, WITHOUT_IDENTITY
from anyscale_k8s_cli.provider import Provider
from anyscale_k8s_cli.provider_registry import beside, registered
from anyscale_k8s_cli.purpose import Purpose

_NEAR = 0.6
_MODULE = "purposes"


def of_platform(provider: Provider) -> tuple[Purpose, ...]:
    """The platform's own first, then those that every platform has."""
    at_anyscale = () if provider.workload_identity else WITHOUT_IDENTITY
    return (*declared_by(provider.name), *at_anyscale, *PURPOSES)


def declared_by(name: str) -> tuple[Purpose, ...]:
    """What a provider declares; nothing where it has no such module."""
    modules = (beside(entry, _MODULE) for entry in registered() if entry.name == name)
    return tuple(item for module in modules if module for item in module.PURPOSES)


def meant(asked: str, keys: Sequence[str]) -> str:
    """The key that is asked for: whole, without its place, as a kind, or by how it begins.

    Raises `usage` where several are meant, and `not-found` where none is.
    """
    for fits in (_exact, _of_kind, _begins):
        found = [key for key in keys if fits(asked, key)]
        if len(found) == 1:
            return found[0]
        if found:
            raise errors.CliError(
                errors.USAGE,
                f"{asked} may mean {len(found)} objects",
                evidence=tuple(found),
                fix="give one of these keys",
            )
    raise _nothing(asked, keys)


def _nothing(asked: str, keys: Sequence[str]) -> errors.CliError:
    """All that there are as evidence, the nearest first."""
    words = {word: key for key in keys for word in _words(key)}
    near = difflib.get_close_matches(asked, list(words), n=len(words), cutoff=_NEAR)
    ordered = tuple(dict.fromkeys((*(words[word] for word in near), *keys)))
    return errors.CliError(
        errors.NOT_FOUND,
        f"There is no object {asked}",
        cause=f"did you mean {ordered[0]}?" if near else "none has such a key or kind",
        evidence=ordered,
        fix=f"give {ordered[0]}" if near else "give one of these, or leave it out to list all",
    )


def _words(key: str) -> Iterator[str]:
    """What somebody may have meant to type: the key, its kind, and both without their place."""
    kind = key.partition("/")[0]
    yield from (key, _placeless(key), kind, _placeless(kind))


def _exact(asked: str, key: str) -> bool:
    return asked in (key, _placeless(key))


def _of_kind(asked: str, key: str) -> bool:
    kind = key.partition("/")[0]
    return asked.rstrip("/") in (kind, _placeless(kind))


def _begins(asked: str, key: str) -> bool:
    return key.startswith(asked) or _placeless(key).startswith(asked)


def _placeless(key: str) -> str:
    """`namespace/ray` of `k8s:namespace/ray`."""
    place, colon, rest = key.partition(":")
    return rest if colon and "/" not in place else key
