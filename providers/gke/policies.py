"""The grants that identities of pods need, and how they differ from those that are there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR, WORKLOADS, Holder
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.gcs.sdk.failures import ABSENT, STALE
from anyscale_k8s_cli.providers.gcs.sdk.policy import Grant, Policy, member_of
from anyscale_k8s_cli.providers.gke import codes
from anyscale_k8s_cli.resource import FieldChange
from anyscale_k8s_cli.run import Run

WORKLOAD_IDENTITY_USER = "roles/iam.workloadIdentityUser"
TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"  # noqa: S105 - the name of a role
# Objects, and the bucket's own settings to be read: narrower than roles/storage.admin, which
# would let the operator change the bucket and its policy. Not tried on every kind of workload;
# `rules.names` has no say in it, a bucket given with --bucket may have any roles that suffice.
OBJECT_ADMIN = "roles/storage.objectAdmin"
BUCKET_READER = "roles/storage.legacyBucketReader"
# Objects alone, and no policy of theirs: what Ray's pods do. Not tried on every kind of workload.
OBJECT_USER = "roles/storage.objectUser"
BUCKET_ROLES = {OPERATOR: (OBJECT_ADMIN, BUCKET_READER), WORKLOADS: (OBJECT_USER,)}
# What a role of the user's own must hold in their place. To write over an object takes the
# right to delete it; the uploads are those in parts.
BUCKET_PERMISSIONS = (
    "storage.buckets.get",
    *(f"storage.multipartUploads.{verb}" for verb in ("abort", "create", "list", "listParts")),
    *(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list")),
)
_WIDER = {
    WORKLOAD_IDENTITY_USER: (TOKEN_CREATOR,),
    OBJECT_ADMIN: ("roles/storage.admin", OBJECT_USER),
    OBJECT_USER: ("roles/storage.admin", OBJECT_ADMIN),
    BUCKET_READER: (
        "roles/storage.admin",
        "roles/storage.legacyBucketOwner",
        "roles/storage.legacyBucketWriter",
    ),
}
_OTHER_WORDS = ("group:", "domain:", "principal:", "principalSet:", "all")
_UNKNOWN_ACCOUNT = re.compile(r"Service account \S+ does not exist")


def on_account(
    email: str, pool: str, namespace: str, holder: Holder = OPERATOR
) -> tuple[Grant, ...]:
    """Who may act as an account: its Kubernetes twin; and the operator's itself, for ID tokens."""
    twin = Grant(WORKLOAD_IDENTITY_USER, twin_of(pool, namespace, holder))
    return (twin, Grant(TOKEN_CREATOR, member_of(email))) if holder is OPERATOR else (twin,)


def on_bucket(
    email: str, holder: Holder = OPERATOR, own_role: str | None = None
) -> tuple[Grant, ...]:
    """What an account may do with the bucket; the operator's also for Ray's pods as a rule.

    By a role of the user's own in place of Google's, if there is one.
    """
    roles = (own_role,) if own_role else BUCKET_ROLES[holder]
    return tuple(Grant(role, member_of(email)) for role in roles)


def superseded(policy: Policy, wanted: Iterable[Grant], email: str) -> frozenset[Grant]:
    """What another setup has granted on our bucket: Google's roles, or one of the user's own."""
    googles = {role for roles in BUCKET_ROLES.values() for role in roles}
    return frozenset(
        grant
        for grant in policy.grants - frozenset(wanted)
        if grant.member == member_of(email)
        and (grant.role in googles or not grant.role.startswith("roles/"))
    )


def document(name: str, bindings: Iterable[Mapping[str, Any]]) -> PolicyDocument:
    """For people, as Google has them."""
    text = json.dumps({"bindings": list(bindings)}, indent=2)
    return PolicyDocument(name, "Google Cloud IAM policy", text)


def of_member(policy: Policy, member: str) -> list[Mapping[str, Any]]:
    """The bindings that name a member."""
    return [item for item in policy.bindings if member in (item.get("members") or ())]


def twin_of(pool: str, namespace: str, holder: Holder = OPERATOR) -> str:
    """How policies name a Kubernetes service account."""
    return f"serviceAccount:{pool}[{namespace}/{holder.account}]"


def command(email: str, grant: Grant) -> str:
    """How its owner grants a role on an account."""
    return (
        f"gcloud iam service-accounts add-iam-policy-binding {email} --role={grant.role} "
        f"--member='{grant.member}'"
    )


def missing(
    policy: Policy, wanted: Iterable[Grant], email: str, unwanted: Iterable[Grant] = ()
) -> list[FieldChange]:
    """What a policy lacks, and what should not be in it any more."""
    lacking = [
        FieldChange(f"{grant.role} for {grant.member}", "absent", "granted")
        for grant in wanted
        if grant not in policy.grants
    ]
    gone = policy.ghosts(email).union(unwanted)
    return lacking + [
        FieldChange(f"{item.role} for {item.member}", "granted", "absent")
        for item in sorted(gone, key=lambda item: (item.role, item.member))
    ]


def lacks(seen: Iterable[Policy], wanted: Grant) -> bool:
    """Whether policies leave no doubt that a member has not the rights of a role.

    A wider role does as well. Groups, roles of a company's own and members of the
    pool in other words leave a doubt, which the proof by use settles.
    """
    enough = {wanted.role, *_WIDER.get(wanted.role, ())}
    return not any(
        (grant.role in enough or not grant.role.startswith("roles/"))
        and (grant.member == wanted.member or grant.member.startswith(_OTHER_WORDS))
        for policy in seen
        for grant in policy.grants
    )


def nearly(policy: Policy, wanted: Grant) -> list[str]:
    """Who has the role in its place: service accounts of other namespaces, of the same pool."""
    pool, _, _ = wanted.member.partition("[")
    return sorted(
        grant.member
        for grant in policy.grants
        if grant.role == wanted.role
        and grant.member != wanted.member
        and "[" in wanted.member
        and grant.member.startswith(f"{pool}[")
    )


def revise(
    run: Run,
    policy: Callable[[], Policy | None],
    write: Callable[[Policy], None],
    change: Callable[[Policy], Policy],
    *,
    what: str,
    patience: float,
) -> None:
    """Read, change and write a policy; all of it again when somebody else was faster.

    Also repeated while Google does not yet know an account that was just made,
    for `patience` seconds at most. Nothing is written where nothing changes, or
    where there is no policy (None). Raises `gcp-policy-contended`.
    """

    def once() -> None:
        found = policy()
        if found is None:
            return
        changed = change(found)
        if changed != found:
            write(changed)

    try:
        run.retry(once, retriable=_passing, what=what, timeout=patience)
    except CloudFailure as failure:
        if failure.api_code not in STALE:
            raise
        raise errors.CliError(
            codes.POLICY_CONTENDED,
            f"{what} was changed by somebody else each time",
            cause=failure.cause,
            evidence=failure.evidence,
            fix="see what else writes that policy, then run the same command again",
        ) from failure


def _passing(problem: BaseException) -> bool:
    if not isinstance(problem, CloudFailure):
        return False
    # https://cloud.google.com/iam/docs/access-change-propagation
    unknown = problem.status == 400 and _UNKNOWN_ACCOUNT.search(problem.cause)
    return bool(unknown) or problem.api_code in (*STALE, ABSENT)
