"""Checks of a container that is entered with a client secret, before anything is made. They
only read.

What only a write can show is shown by the container's proof by use.
"""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.checks.once import Once
from anyscale_k8s_cli.errors import CliError
from anyscale_k8s_cli.providers.azureblob import codes
from anyscale_k8s_cli.providers.azureblob.container import by_hand
from anyscale_k8s_cli.providers.azureblob.keyed import KeyedAccount
from anyscale_k8s_cli.providers.objectstore import declared


def checks(azure: KeyedAccount, container: str, origin: str) -> list[BoundCheck]:
    once = Once(partial(azure.check, container))
    return [
        declared.STORE_UNREACHABLE.bind(partial(_answers, once)),
        declared.STORE_KEYS_DENIED.bind(partial(_admits, once)),
        declared.STORE_CORS_UNSUPPORTED.bind(partial(_rules, once, azure, origin)),
    ]


def _answers(once: Once) -> Finding:
    problem = once.problem()
    if problem is not None and problem.code is codes.AZURE_UNREACHABLE:
        return _failed(problem)
    return passed("Blob Storage")


def _admits(once: Once) -> Finding:
    """The secret, and any refusal that nobody foresaw: none must go under."""
    problem = once.problem()
    if problem is None:
        return passed()
    if problem.code is codes.AZURE_UNREACHABLE:
        return Finding(Status.UNKNOWN, f"not answered: {problem.message}")
    return _failed(problem)


def _rules(once: Once, azure: KeyedAccount, origin: str) -> Finding:
    problem = once.problem()
    if problem is not None:
        return Finding(Status.UNKNOWN, f"not answered: {problem.message}")
    if azure.rules() is not None:
        return passed()
    return Finding(
        Status.WARN,
        f"the CORS rules of the account {azure.account.name} cannot be seen with these rights: "
        "the console may not show logs and files from the container in a browser",
        fix=f"unless its owner has let it in, have him do so: {by_hand(azure.account, origin)}",
    )


def _failed(problem: CliError) -> Finding:
    return Finding(Status.FAIL, str(problem), problem.evidence, problem.fix)
