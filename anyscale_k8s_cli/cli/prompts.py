"""Questions to a person, in the order in which a person thinks.

Nothing is asked without a terminal on both ends, nor with `--yes`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli import console
from anyscale_k8s_cli.run import Run

# What must be said, with the option that says it; any one of the paths will do.
_NEEDED = (
    (("provider",), "--provider"),
    (("cluster.name", "cluster.context"), "--cluster-name"),
    (("name",), "--name"),
)


def fill_in(
    settings: Mapping[str, Any],
    said_in_file: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    may_ask: bool,
) -> dict[str, Any]:
    """The settings with what is missing asked for.

    Raises `missing-input` that names every missing option when nobody can be asked.
    """
    filled = dict(settings)
    known = {**said_in_file, **settings}
    missing = [flag for paths, flag in _NEEDED if not any(known.get(path) for path in paths)]
    if not missing:
        return filled
    if not (may_ask and console.can_ask()):
        raise _missing(missing)
    if "--provider" in missing:
        known["provider"] = filled["provider"] = _ask_provider()
    if not known.get("region") and _has_region(known["provider"], environment):
        filled["region"] = _ask("Region")
    if "--cluster-name" in missing:
        filled["cluster.name"] = _ask("Name of the cluster")
    if "--name" in missing:
        filled["name"] = _ask("Name for the Anyscale cloud")
    return filled


def confirm(question: str) -> None:
    """Go on only when the person says yes. Raises `confirmation-needed`."""
    if _answer(f"{question} [y/N]: ").lower() not in ("y", "yes"):
        raise errors.CliError(
            errors.CONFIRMATION_NEEDED, "Not confirmed", cause="nothing was changed"
        )


def require_approval(*, given: bool, what: str) -> None:
    """Without a terminal nobody can say yes: refuse before any work is done for nothing."""
    if given or console.can_ask():
        return
    raise errors.CliError(
        errors.CONFIRMATION_NEEDED,
        f"{what} needs a yes, and there is no terminal to ask at",
        cause="standard input or standard error is not a terminal",
        fix="add --yes, or look first with --dry-run",
    )


def _missing(flags: list[str]) -> errors.CliError:
    listed = ", ".join(flags)
    return errors.CliError(
        errors.MISSING_INPUT,
        f"{listed} {'is' if len(flags) == 1 else 'are'} missing",
        cause="neither an option nor a file given with -f says it, and nobody can be asked",
        fix=f"add {' and '.join(f'{flag} {_VALUES[flag]}' for flag in flags)}",
    )


_VALUES = {"--provider": "PLATFORM", "--cluster-name": "NAME", "--name": "NAME"}


def _ask(question: str, default: str = "") -> str:
    """An answer that is not empty; asked again until there is one."""
    shown = f"{question} [{default}]: " if default else f"{question}: "
    while True:
        answer = _answer(shown) or default
        if answer:
            return answer


def _answer(question: str) -> str:
    """One line from the person. Raises `interrupted` when there is nothing more to read."""
    try:
        # Both Typer's prompts and Python's own put something on standard output,
        # where nothing but the result may be.
        with contextlib.redirect_stdout(sys.stderr):
            return input(question).strip()
    except EOFError:
        raise errors.CliError(
            errors.INTERRUPTED, "Interrupted", cause="the input ended before the answer"
        ) from None


def _ask_provider() -> str:
    from anyscale_k8s_cli import provider

    available = provider.available()
    if len(available) == 1:
        return _ask("Platform", default=available[0])
    return _ask(f"Platform ({', '.join(available)})")


def _has_region(name: str, environment: Mapping[str, str]) -> bool:
    """Whether this platform has regions and the environment names none."""
    from anyscale_k8s_cli import provider

    variables = provider.load(name, Run()).environment.get("region", ())
    return bool(variables) and not any(environment.get(variable) for variable in variables)
