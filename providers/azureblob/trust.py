"""Whose tokens a managed identity is there for: what it should trust, and how its owner adds it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.azureblob.sdk.identities import Trust
from anyscale_k8s_cli.resource import Unfit

_RESOURCE_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<group>[^/]+)/providers/"
    r"microsoft\.managedidentity/userassignedidentities/(?P<name>[^/]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Place:
    """A resource group, and the name in it; `subscription` where it is not known from elsewhere."""

    group: str
    name: str
    subscription: str = ""


def place_of(resource_id: str) -> Place | None:
    """Where an identity is, by its resource id; None for what is none."""
    found = _RESOURCE_ID.fullmatch(resource_id)
    return Place(found["group"], found["name"], found["subscription"]) if found else None


def document(name: str, trust: Trust) -> PolicyDocument:
    """A credential for people, as Azure has it."""
    properties = {
        "issuer": trust.issuer,
        "subject": trust.subject,
        "audiences": list(trust.audiences),
    }
    text = json.dumps(properties, indent=2)
    return PolicyDocument(f"federated credential {name}", "Azure federated credential", text)


def lacking(
    place: Place, trusts: Mapping[str, Trust], wanted: Trust, name: str
) -> tuple[Unfit, ...]:
    """What stands against such tokens, all of which is compared letter by letter.

    `trusts` are the identity's own by name; `name` is for one that is to be added.
    """
    bearers = {
        own: found
        for own, found in trusts.items()
        if (found.issuer, found.subject) == (wanted.issuer, wanted.subject)
    }
    if any(set(wanted.audiences) <= set(found.audiences) for found in bearers.values()):
        return ()
    # No identity has two for the same bearer.
    name = next(iter(bearers), name)
    near = sorted(
        f"{found.subject} of {found.issuer}"
        for found in trusts.values()
        if wanted.issuer == found.issuer or wanted.subject == found.subject
    )
    why = f"it does not trust {wanted.subject} of {wanted.issuer}"
    why += f", but {', '.join(near)}" if near and not bearers else ""
    for found in bearers.values():
        why = f"it trusts {wanted.subject} with the audience {', '.join(found.audiences)} alone"
    return (Unfit(why, command(place, name, wanted)),)


def command(place: Place, name: str, wanted: Trust) -> str:
    """What the identity's owner types to have it take such tokens."""
    where = {"--resource-group": place.group, "--identity-name": place.name, "--name": name}
    if place.subscription:
        where = {"--subscription": place.subscription, **where}
    return f"az identity federated-credential create {_told(where)} {arguments(wanted)}"


def arguments(wanted: Trust) -> str:
    """A credential in the words of Azure's command line."""
    audiences = " ".join(map(shlex.quote, wanted.audiences))
    bearer = {"--issuer": wanted.issuer, "--subject": wanted.subject}
    return f"{_told(bearer)} --audiences {audiences}"


def _told(options: Mapping[str, str]) -> str:
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in options.items())
