"""IAM policies: their members, their etags, and what they allow.

https://cloud.google.com/iam/docs/reference/rest/v1/Policy. A binding for a service
account holds for the account itself and not for its name: once that is deleted it
is shown as `deleted:…?uid=…`, and a new account of the same name has nothing of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.google.errors import GoogleError, concurrent_change, invalid
from anyscale_k8s_cli.sandbox.google.roles import EDITOR, OWNER, VIEWER, Roles
from anyscale_k8s_cli.sandbox.google.tokens import Caller

if TYPE_CHECKING:
    from anyscale_k8s_cli.sandbox.google.accounts import ServiceAccounts

ANYBODY, ANY_ACCOUNT = "allUsers", "allAuthenticatedUsers"
_WITH_CONDITIONS = 3
_EMPTY_ETAG = "ACAB"
_ACCOUNT = re.compile(r"serviceAccount:([^@\[\]?]+@[^@\[\]?]+)")
_DELETED = re.compile(r"deleted:serviceAccount:([^?]+)\?uid=(\d+)")
_POOL_MEMBER = re.compile(r"serviceAccount:([\w.-]+\.svc\.id\.goog)\[([\w-]+)/([\w.-]+)\]")
_PRINCIPAL = re.compile(r"principal(?:Set)?://iam\.googleapis\.com/\S+")
_OTHERS = re.compile(r"(?:user|group|domain|projectOwner|projectEditor|projectViewer):\S+")
_BASIC = {"projectOwner": OWNER, "projectEditor": EDITOR, "projectViewer": VIEWER}


@dataclass(slots=True)
class Grant:
    """One member of one binding. `uid` is that of the service account that it means.

    `refusals_left`: how often it is still overlooked, since a change needs its time.
    """

    role: str
    member: str
    uid: str = ""
    condition: str = ""
    refusals_left: int = 0

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.role, self.member, self.uid, self.condition


@dataclass(slots=True)
class Policy:
    """What is granted on one resource. Fresh ones have revision 0 and the same etag."""

    grants: list[Grant] = field(default_factory=list)
    revision: int = 0

    @property
    def etag(self) -> str:
        if not self.revision:
            return _EMPTY_ETAG
        known = json.dumps([self.revision, *(grant.key for grant in self.grants)])
        return base64.b64encode(b"\x07" + hashlib.sha256(known.encode()).digest()[:7]).decode()


@dataclass(slots=True)
class Meddling:
    """Somebody who changes a policy just after it was read, `left` times more.

    `role` and `member` of what is added, by the kind of resource.
    """

    additions: Mapping[str, tuple[str, str]]
    left: int = 0

    def after_reading(self, policy: Policy, kind: str) -> None:
        if not self.left:
            return
        self.left -= 1
        role, member = self.additions[kind]
        if all((grant.role, grant.member) != (role, member) for grant in policy.grants):
            policy.grants = [*policy.grants, Grant(role, member)]
        policy.revision += 1


def _meddling() -> Meddling:
    somebody = "user:somebody@example.com"
    return Meddling(
        {
            "account": ("roles/iam.serviceAccountUser", somebody),
            "bucket": ("roles/storage.objectViewer", somebody),
            "project": ("roles/browser", somebody),
        }
    )


@dataclass(frozen=True)
class PolicyRules:
    """How policies are read, written and judged in one project.

    `pools` are the workload identity pools that exist; `refused_attempts` is how often
    a new binding is overlooked before it holds.
    """

    accounts: ServiceAccounts
    roles: Roles
    pools: set[str]
    project: Policy
    refused_attempts: int = 1
    meddling: Meddling = field(default_factory=_meddling)

    def read(self, policy: Policy, kind: str, version: int = 1) -> dict[str, Any]:
        """The answer of getIamPolicy."""
        found = self.shown(policy, version)
        self.meddling.after_reading(policy, kind)
        return found

    def shown(self, policy: Policy, version: int = 1) -> dict[str, Any]:
        """The policy as its readers see it; only version 3 can show conditions as such."""
        bindings: dict[tuple[str, str], list[str]] = {}
        for grant in policy.grants:
            bindings.setdefault((grant.role, grant.condition), []).append(self._member(grant))
        found: dict[str, Any] = {"etag": policy.etag}
        if policy.revision:
            found["version"] = 1
        for (role, condition), members in bindings.items():
            binding: dict[str, Any] = {"role": role, "members": sorted(members)}
            if condition and version >= _WITH_CONDITIONS:
                binding["condition"] = json.loads(condition)
                found["version"] = _WITH_CONDITIONS
            elif condition:
                binding["role"] += (
                    f"_withcond_{hashlib.sha256(condition.encode()).hexdigest()[:20]}"
                )
            found.setdefault("bindings", []).append(binding)
        return found

    def replace(self, policy: Policy, wanted: Mapping[str, Any], kind: str) -> None:
        """Set the policy of a project, an account or a bucket (`kind`), all or nothing."""
        sent = wanted.get("etag")
        if sent and sent != policy.etag:
            raise concurrent_change(str(sent), policy.etag)
        version = int(wanted.get("version") or 0)
        if version < _WITH_CONDITIONS and any(grant.condition for grant in policy.grants):
            raise invalid(
                "The policy contains conditional bindings: it can only be changed as version 3."
            )
        grants = list(self._resolved(wanted.get("bindings") or (), kind, version))
        _refuse_mixed_members(grants, self._member)
        present = {grant.key: grant for grant in policy.grants}
        for grant in grants:
            known = present.get(grant.key)
            grant.refusals_left = known.refusals_left if known else self.refused_attempts
        policy.grants = grants
        policy.revision += 1

    def allows(self, policy: Policy, caller: Caller, permission: str) -> bool:
        """Whether the caller has the permission by this policy alone.

        If only new bindings would give it, they are one attempt nearer to holding.
        """
        young: list[Grant] = []
        for grant in policy.grants:
            if grant.condition or not self.roles.allows(grant.role, permission):
                continue
            if not self._names(grant, caller):
                continue
            if not grant.refusals_left:
                return True
            young.append(grant)
        for grant in young:
            grant.refusals_left -= 1
        return False

    def _names(self, grant: Grant, caller: Caller) -> bool:
        if grant.uid:
            return grant.uid == caller.uid
        kind = grant.member.split(":", 1)[0]
        if kind in _BASIC:
            return any(
                own.role == _BASIC[kind] and self._names(own, caller) for own in self.project.grants
            )
        if grant.member in (ANYBODY, ANY_ACCOUNT):
            return grant.member == ANYBODY or bool(caller.member)
        return grant.member in (caller.member, caller.principal)

    def _member(self, grant: Grant) -> str:
        if not grant.uid:
            return grant.member
        account = self.accounts.by_id(grant.uid)
        if account is not None and account.deleted_at is None:
            return grant.member
        return f"deleted:{grant.member}?uid={grant.uid}"

    def _resolved(self, bindings: Any, kind: str, version: int) -> Iterator[Grant]:
        for binding in bindings:
            role = str(binding.get("role") or "")
            if not self.roles.fits(role, kind):
                raise invalid(f"Role {role} is not supported for this resource.")
            condition = binding.get("condition")
            if condition and version < _WITH_CONDITIONS:
                raise invalid("Conditional bindings need a policy of version 3.")
            known = json.dumps(condition, sort_keys=True) if condition else ""
            for member in dict.fromkeys(binding.get("members") or ()):
                name, uid = self._resolve(str(member))
                yield Grant(role, name, uid, known)

    def _resolve(self, member: str) -> tuple[str, str]:
        """A member's name and, for a service account, its unique id."""
        if gone := _DELETED.fullmatch(member):
            known = self.accounts.by_id(gone[2])
            if known is None or known.email != gone[1]:
                raise invalid(f"Deleted service account {gone[1]} does not exist.")
            return f"serviceAccount:{known.email}", known.unique_id
        if pool := _POOL_MEMBER.fullmatch(member):
            if pool[1] not in self.pools:
                raise invalid(
                    f"Identity Pool does not exist ({pool[1]}). Please check that you specified a "
                    "valid resource name as returned in the `name` attribute in the "
                    "configuration API."
                )
            return member, ""
        if account := _ACCOUNT.fullmatch(member):
            found = self.accounts.find(account[1])
            if found is None or not found.known_to("policy"):
                raise invalid(f"Service account {account[1]} does not exist.")
            return member, found.unique_id
        if member in (ANYBODY, ANY_ACCOUNT) or any(
            form.fullmatch(member) for form in (_PRINCIPAL, _OTHERS)
        ):
            return member, ""
        raise invalid(
            f"The member {member} is of an unknown type. Please set a valid type prefix for the "
            "member."
        )


def _refuse_mixed_members(grants: list[Grant], shown: Any) -> None:
    """A name may not stand for a deleted account and for its successor in one policy."""
    forms: dict[str, str] = {}
    for grant in grants:
        if not grant.uid:
            continue
        form, other = shown(grant), forms.setdefault(grant.member, shown(grant))
        if form != other:
            gone, live = sorted((form, other))
            raise GoogleError(
                "INVALID_ARGUMENT",
                f"Inconsistent representation of deleted member: '{gone}' and '{live}'.",
            )
