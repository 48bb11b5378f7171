"""Checks of a container that is entered with a client secret, before anything is made. They
only read.

What only a write can show is shown by the container's proof by use.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed, problem_of
from anyscale_k8s_cli.parallel import Once
from anyscale_k8s_cli.providers.azureblob import codes
from anyscale_k8s_cli.providers.azureblob.container import by_hand
from anyscale_k8s_cli.providers.azureblob.keyed import KeyedAccount
from anyscale_k8s_cli.providers.objectstore import declared
from anyscale_k8s_cli.providers.objectstore.asked import Looked, unanswered


def checks(azure: KeyedAccount, container: str, origin: str) -> list[BoundCheck]:
    looked = Looked(Once(partial(azure.check, container)), codes.AZURE_UNREACHABLE)
    return [
        declared.STORE_UNREACHABLE.bind(looked.reached),
        declared.STORE_KEYS_DENIED.bind(looked.admitted),
        declared.STORE_CORS_UNSUPPORTED.bind(partial(_rules, looked.once, azure, origin)),
    ]


def _rules(once: Once[Any], azure: KeyedAccount, origin: str) -> Finding:
    problem = problem_of(once)
    if problem is not None:
        return unanswered(problem)
    if azure.rules() is not None:
        return passed()
    return Finding(
        Status.WARN,
        f"the CORS rules of the account {azure.account.name} cannot be seen with these rights: "
        "the console may not show logs and files from the container in a browser",
        fix=f"unless its owner has let it in, have him do so: {by_hand(azure.account, origin)}",
    )
