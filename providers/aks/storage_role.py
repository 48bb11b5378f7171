"""The role by which the identity opens the storage account: Azure's own, or one of the user's."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status, passed, unless_denied
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.sdk.roles import Definition, matches
from anyscale_k8s_cli.providers.azureblob.sdk import blobs, service

# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
# Read, write and delete blobs, and make containers: what the documentation asks for. An
# owner could besides change access lists in the account, which nothing here needs.
ROLE, ROLE_NAME = "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "Storage Blob Data Contributor"
NEEDED = (blobs.READ, blobs.WRITE, blobs.DELETE)
# What a role of the user's own must hold: signed addresses are made with a key of Azure's.
ACTIONS = (service.SIGN,)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MANAGEMENT_GROUP = "/providers/microsoft.management/"


def id_in(given: str) -> str:
    """The id of a role that is named by it or by its full path; empty for a name."""
    last = given.rstrip("/").rpartition("/")[2].lower()
    return last if _GUID.fullmatch(last) else ""


@dataclass(frozen=True)
class StorageRole:
    """`given` is what the user calls a role, by name or id; `group` is where it is to be assigned.

    Without anything given it is Azure's own.
    """

    azure: Azure
    group: str
    given: str | None = None

    @property
    def name(self) -> str:
        return self.given or ROLE_NAME

    @cached_property
    def id(self) -> str:
        """Asked once, and only of a role that is called by its name."""
        if not self.given:
            return ROLE
        if known := id_in(self.given):
            return known
        found = self._definition()
        if found is None:
            told = self._absent()
            raise errors.CliError(
                errors.ADOPTED_UNFIT, f"In {self.group} {told.detail}", fix=told.fix
            )
        return found.id

    @unless_denied("look")
    def finding(self, account: str | None) -> Finding:
        """Whether it is enough, and can be assigned on an account (by id, if that is known)."""
        found = self._definition()
        if found is None:
            return self._absent()
        lacking = _lacking(found)
        outside = account is not None and not _assignable(found, account)
        if not lacking and not outside:
            return passed(f"{len(NEEDED) + len(ACTIONS)} actions")
        told = [f"lacks {', '.join(lacking)}"] if lacking else []
        told += [f"is not assignable in {self.group}"] if outside else []
        fix = "give --storage-role another one"
        if found.custom:
            wider = _document(found, lacking, (self._scope,) if outside else ())
            fix = f"az role definition update --role-definition {wider}"
        why = f"the role {self.name} {' and '.join(told)}"
        return Finding(Status.FAIL, why, tuple(lacking), fix)

    @property
    def _scope(self) -> str:
        return f"/subscriptions/{self.azure.subscription_id}/resourceGroups/{self.group}"

    def _definition(self) -> Definition | None:
        roles, known = self.azure.roles, id_in(self.name)
        if known:
            return roles.definition(known, self._scope)
        return roles.named(self.name, self._scope)

    def _absent(self) -> Finding:
        wanted = Definition("", "anyscale-storage" if id_in(self.name) else self.name)
        text = _document(wanted, (*ACTIONS, *NEEDED), (self._scope,))
        fix = f"az role definition create --role-definition {text}"
        return Finding(Status.FAIL, f"there is no role {self.name}", fix=fix)


def _lacking(role: Definition) -> list[str]:
    return [
        *(item for item in ACTIONS if not any(held.allows(item) for held in role.permissions)),
        *(item for item in NEEDED if not any(held.allows_data(item) for held in role.permissions)),
    ]


def _assignable(role: Definition, scope: str) -> bool:
    """What is in a management group is not seen from here, so a role of one leaves a doubt."""
    wanted = f"{scope.lower()}/"
    return any(
        wanted.startswith(f"{item.lower().rstrip('/')}/")
        or item.lower().startswith(_MANAGEMENT_GROUP)
        for item in role.scopes
    )


def _document(role: Definition, more: Sequence[str], scopes: Sequence[str]) -> str:
    """A role's document as `az` takes it, with more allowed and in more scopes."""

    def allowed(held: str, kept_back: str, known: Sequence[str]) -> Mapping[str, Any]:
        added = [item for item in more if item in known]
        old = [item for found in role.permissions for item in getattr(found, held)]
        barred = [item for found in role.permissions for item in getattr(found, kept_back)]
        keys = ("Actions", "NotActions") if held == "actions" else ("DataActions", "NotDataActions")
        left = [item for item in barred if not any(matches((item,), name) for name in added)]
        new = [item for item in added if not matches(old, item)]
        return {keys[0]: [*old, *new], keys[1]: left}

    document = {
        "Name": role.name,
        **({"Id": role.id} if role.id else {}),
        **({"Description": role.description} if role.description else {}),
        "IsCustom": True,
        **allowed("actions", "not_actions", ACTIONS),
        **allowed("data_actions", "not_data_actions", NEEDED),
        "AssignableScopes": [*role.scopes, *scopes],
    }
    return shlex.quote(json.dumps(document))
