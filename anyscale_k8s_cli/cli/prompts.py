"""Questions to a person, in the order in which a person thinks.

Nothing is asked without a terminal on both ends, nor with `--yes`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli import console
from anyscale_k8s_cli.run import Run

_QUESTIONS = {
    "provider": "Platform",
    "region": "Region",
    "account.project_id": "Project of the cluster",
    "account.subscription_id": "Subscription of the cluster",
    "account.resource_group": "Resource group of the cluster",
    "cluster.name": "Name of the cluster",
    "cluster.context": "Context of your kubeconfig",
    "name": "Name for the Anyscale cloud",
}
_CLUSTERS = ("cluster.name", "cluster.context")


def fill_in(
    settings: Mapping[str, Any],
    said_in_file: Mapping[str, Any],
    environment: Mapping[str, str],
    *,
    may_ask: bool,
) -> dict[str, Any]:
    """The settings, with what is missing asked for where a person can answer."""
    filled = dict(settings)
    if not (may_ask and console.can_ask()):
        return filled
    known = {**said_in_file, **settings}
    if not known.get("provider"):
        known["provider"] = filled["provider"] = _ask_provider()
    missing = [
        path for path in _required(str(known["provider"]), environment) if not known.get(path)
    ]
    for path in missing:
        filled[path] = _ask_for(path, {**known, **filled})
    _ask_for_secrets({**known, **filled}, environment)
    return filled


def _ask_for(path: str, known: Mapping[str, Any]) -> str:
    names = _clusters(known) if path in _CLUSTERS else []
    if len(names) > 1:
        return _ask(f"{_question(path)}, one of {', '.join(names)}")
    return _ask(_question(path), default="".join(names))


def _clusters(known: Mapping[str, Any]) -> Sequence[str]:
    """Those that there are to choose from; none where nobody may list them.

    What is wrong with the way there is told by whoever goes it next, with its fix.
    """
    from anyscale_k8s_cli import abilities, provider_registry, spec_loading

    platform = provider_registry.load(str(known["provider"]), Run())
    if not isinstance(platform, abilities.ListsClusters):
        return []
    places = ("region", "account.", "credentials.", "cluster.kubeconfig")
    where = {path: value for path, value in known.items() if path.startswith(places)}
    try:
        return platform.clusters(spec_loading.load_scope(where))
    except errors.CliError:
        return []


def _ask_for_secrets(settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """What is typed is put where the platform looks for it, in this process alone."""
    from anyscale_k8s_cli import abilities, provider_registry

    platform = provider_registry.load(str(settings["provider"]), Run())
    if not isinstance(platform, abilities.AsksForSecrets):
        return
    for variable, question in platform.secrets(settings, environment).items():
        answer = console.read_hidden(f"{question}: ").strip()
        if not answer:
            return
        os.environ[variable] = answer


def _question(path: str) -> str:
    """What is asked, with the option that would have said it."""
    from anyscale_k8s_cli import spec

    flag = spec.flags_by_path().get(path)
    return _QUESTIONS.get(path, path) + (f" ({flag})" if flag else "")


def _required(name: str, environment: Mapping[str, str]) -> list[str]:
    """What this platform must be told, but for what its own variables say."""
    from anyscale_k8s_cli import provider_registry

    platform = provider_registry.load(name, Run())
    in_environment = {
        path
        for path, variables in platform.environment.items()
        if any(environment.get(variable) for variable in variables)
    }
    return [*(path for path in platform.required if path not in in_environment), "name"]


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
        console.forget_typed()
        # Both Typer's prompts and Python's own put something on standard output,
        # where nothing but the result may be.
        with contextlib.redirect_stdout(sys.stderr):
            return input(question).strip()
    except (EOFError, errors.CliError) as ended:
        sys.stderr.write("\n")  # what is told next does not stand behind the question
        if isinstance(ended, errors.CliError):
            raise
        raise errors.CliError(
            errors.INTERRUPTED, "Interrupted", cause="the input ended before the answer"
        ) from None


def _ask_provider() -> str:
    from anyscale_k8s_cli import provider_registry

    question, available = _question("provider"), provider_registry.available()
    if len(available) == 1:
        return _ask(question, default=available[0])
    return _ask(f"{question}, one of {', '.join(available)}")
