"""All checks there are, of the core and of every provider that is installed.

Found offline, and without any SDK: a provider is a package (or stands in one) with a
module `declared`, whose `CHECKS` are its own and those of what it shares with others.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from importlib.metadata import EntryPoint

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Check, When, declared
from anyscale_k8s_cli.provider_registry import beside, registered

_NEAR = 0.75
_MODULE = "declared"


def every_check() -> tuple[Check, ...]:
    """Each once, by code."""
    found = {check.code: check for check in declared.CHECKS}
    for entry in registered():
        found |= {check.code: check for check in _declared_in(entry)}
    return tuple(found[code] for code in sorted(found))


def codes(when: When) -> frozenset[str]:
    """The codes of those that may be asked at a moment, on whichever platform."""
    return frozenset(check.code for check in every_check() if when in check.when)


def declared_by(provider: str) -> tuple[Check, ...]:
    """The core's, and those of one provider."""
    found = (entry for entry in registered() if entry.name == provider)
    own = (check for entry in found for check in _declared_in(entry))
    return (*declared.CHECKS, *own)


def refuse_slips(option: str, said: Collection[str], when: When) -> None:
    """Raise `usage` for a name that is nearly that of a check.

    One that is like none may be a check of a provider that is installed elsewhere.
    """
    known = codes(when)
    for code in sorted(set(said) - known):
        near = difflib.get_close_matches(code, sorted(known), cutoff=_NEAR)
        if near:
            raise errors.CliError(
                errors.USAGE,
                f"{option} {code}: there is no check of that name",
                cause=f"near it: {', '.join(near)}",
                fix=f"{option} {near[0]}",
            )


def refuse_unknown(option: str, said: Collection[str], when: When) -> None:
    """Raise `usage` for whatever is no check that can be asked at this moment."""
    refuse_slips(option, said, when)
    known = codes(when)
    strange = sorted(set(said) - known)
    if strange:
        raise errors.CliError(
            errors.USAGE,
            f"{option} {strange[0]}: there is no check of that name",
            cause=f"there are: {', '.join(sorted(known))}",
            fix=f"leave {option} out, or give one of these",
        )


def _declared_in(entry: EntryPoint) -> tuple[Check, ...]:
    """What a provider declares; nothing where it has no such module."""
    module = beside(entry, _MODULE)
    found: tuple[Check, ...] = module.CHECKS if module else ()
    return found
