"""What an administrator does about a right that the API server says is missing.

RBAC's refusals have one form, whoever hands them on: the API server itself, or helm.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator

# RBAC's own rule against granting more than one has.
ESCALATION = "attempting to grant RBAC permissions not currently held"
_WHO = re.compile(r'[Uu]ser "([^"]+)"')
_WANTED = re.compile(r'cannot (\S+) resource "([^"]+)" in API group "([^"]*)"')
_ROLE = "anyscale-k8s"
_RBAC = "rbac.authorization.k8s.io"
_AGAIN = "this is for an administrator of the cluster; then run the same command again"
_ALL = (
    "(all that is needed is printed by: anyscale cloud permissions --scope cluster --provider {})"
)


def is_of_rights(message: str) -> bool:
    """Whether a refusal is one of rights; admission (a namespace that ends) has the status too."""
    return "User " in message or "forbidden: " not in message or ESCALATION in message


def way_in(
    message: str, kubectl: Callable[..., str], of_platform: str = "", platform: str = ""
) -> str:
    """How to be let do what was refused. `of_platform` is the command of a platform's own."""
    every = (_ALL.format(platform),) if platform and not of_platform else ()
    return "\n".join((*_commands(message, kubectl, of_platform), *every, _AGAIN))


def _commands(message: str, kubectl: Callable[..., str], of_platform: str) -> Iterator[str]:
    who = _WHO.search(message)
    user = shlex.quote(f"--user={who.group(1) if who else 'USER'}")
    wanted = _WANTED.search(message)
    if of_platform:
        yield of_platform
    elif ESCALATION in message:
        kinds = f"roles.{_RBAC},clusterroles.{_RBAC}"
        yield from _granted(f"{_ROLE}-escalate", "escalate,bind", kinds, user, kubectl)
    elif wanted is not None:
        verb, resource, group = wanted.groups()
        plural, _, part = resource.partition("/")
        kind = f"{plural}{f'.{group}' if group else ''}{f'/{part}' if part else ''}"
        name = f"{_ROLE}-{verb}-{resource.replace('/', '-')}"
        yield from _granted(name, verb, kind, user, kubectl)
    else:
        yield kubectl(f"create clusterrolebinding {_ROLE} --clusterrole=cluster-admin", user)


def _granted(
    name: str, verbs: str, kinds: str, user: str, kubectl: Callable[..., str]
) -> Iterator[str]:
    yield kubectl(f"create clusterrole {name} --verb={verbs} --resource={kinds}")
    yield kubectl(f"create clusterrolebinding {name} --clusterrole={name}", user)
