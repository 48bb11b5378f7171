"""The objects outside the cluster, put together from spec, cluster and install."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.cloud_side import Acting, CloudSide, Identity, vouched_for
from anyscale_k8s_cli.holders import OPERATOR, WORKLOADS, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster, Made, PolicyDocument
from anyscale_k8s_cli.providers.gcs import bucket
from anyscale_k8s_cli.providers.gcs.bucket import AdoptedBucket, Bucket
from anyscale_k8s_cli.providers.gcs.bucket_settings import BucketWishes, told, wanted
from anyscale_k8s_cli.providers.gcs.sdk.policy import Grant, member_of
from anyscale_k8s_cli.providers.gcs.sdk.storage import Settings
from anyscale_k8s_cli.providers.gcs.wording import bucket_name
from anyscale_k8s_cli.providers.gke import labels, policies, tags
from anyscale_k8s_cli.providers.gke.bucket_access import AdoptedAccess, BucketAccess, Member
from anyscale_k8s_cli.providers.gke.discovery import GkeFacts
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.identity import (
    KIND,
    AccountWishes,
    AdoptedAccount,
    PodAccount,
    WorkloadAccount,
    default_id,
)
from anyscale_k8s_cli.providers.gke.proof import Proof
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.spec import CloudSpec

# Before the project is known.
_POOL = "<project>.svc.id.goog"


@dataclass(frozen=True)
class Names:
    """What setup will make: a bucket and ids of accounts, empty for what the user has already.

    `workload_account` is empty also where Ray's pods have none of their own. `own_role` is the
    user's, by which the bucket is opened in place of Google's.
    """

    bucket: str
    account: str
    workload_account: str = ""
    own_role: str = ""


def names(spec: CloudSpec, install: Install) -> Names:
    given, existing = spec.rules.names, spec.existing
    separate = spec.identity.separate
    return Names(
        bucket="" if existing.bucket else given.get("bucket") or bucket.default_name(install),
        account="" if existing.identity else _account_id(spec, install),
        workload_account=_account_id(spec, install, WORKLOADS) if separate else "",
        own_role=spec.rules.storage_role or "",
    )


def _account_id(spec: CloudSpec, install: Install, holder: Holder = OPERATOR) -> str:
    return spec.rules.names.get(holder.named(KIND)) or default_id(install, holder)


def build(
    google: Google,
    spec: CloudSpec,
    cluster: Cluster,
    install: Install,
    console_origin: str,
    dropped_tags: Mapping[str, str],
) -> CloudSide:
    """What should be there. Nothing is asked of Google yet."""
    builder = _Builder(google, spec, cluster, install)
    storage = builder.storage(console_origin, dropped_tags)
    operator, workloads = builder.acting(storage, OPERATOR), None
    if spec.identity.separate:
        # One after the other, since both are written into one policy.
        workloads = builder.acting(storage, WORKLOADS, needs=(operator.identity,))
    return vouched_for(storage, operator, workloads)


def makes(install: Install) -> tuple[Made, ...]:
    """What is made for an install that says nothing of names."""
    return (
        Made(
            "Cloud Storage bucket",
            bucket.default_name(install),
            "the cluster's region",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
        ),
        *_made(install, OPERATOR, "service account", "existing.identity"),
        *_made(install, WORKLOADS, "service account of Ray's pods", "identity.workloads=same"),
    )


def _made(install: Install, holder: Holder, what: str, unless: str) -> Iterator[Made]:
    email = "<account>"
    found = policies.on_account(email, _POOL, install.namespace, holder)
    rights = tuple(
        f"{item.role} on it for {'itself' if item.member == member_of(email) else item.member}"
        for item in found
    )
    name = default_id(install, holder)
    yield Made(what, name, "project", rights, named=holder.named(KIND), unless=(unless,))
    own = ("existing.bucket",) if holder is OPERATOR else ("existing.bucket", unless)
    roles = policies.BUCKET_ROLES[holder]
    yield Made("roles in the bucket's policy", f"of the {what}", "the bucket", roles, unless=own)


def grants(spec: CloudSpec, install: Install, bucket: str) -> Iterator[PolicyDocument]:
    """Who may act as the accounts, and what they may, before the project is known."""
    made = names(spec, install)
    accounts = {OPERATOR: made.account}
    if spec.identity.separate:
        accounts[WORKLOADS] = made.workload_account
    for holder, account in accounts.items():
        email = f"{account}@<project>.iam.gserviceaccount.com" if account else ""
        if email:
            held = policies.on_account(email, _POOL, install.namespace, holder)
            yield policies.document(f"who may act as {email}", _bindings(held))
        if not spec.existing.bucket:
            member = Member(email or spec.existing.identity or "", holder, spec.rules.storage_role)
            yield policies.document(f"roles on the bucket {bucket}", _bindings(member.grants))


def _bindings(granted: Iterable[Grant]) -> list[dict[str, Any]]:
    return [{"role": item.role, "members": [item.member]} for item in granted]


def protection(spec: CloudSpec) -> dict[str, str]:
    wishes = BucketWishes({}, "", spec.rules.kms_key)
    return told(wanted(Settings(), wishes))


@dataclass(frozen=True)
class _Builder:
    """Makes each object; they know each other by their names."""

    google: Google
    spec: CloudSpec
    cluster: Cluster
    install: Install

    def storage(
        self, console_origin: str, dropped_tags: Mapping[str, str]
    ) -> Bucket | AdoptedBucket:
        if given := self.spec.existing.bucket:
            return AdoptedBucket(self.google, self.install, bucket_name(given), console_origin)
        rules = self.spec.rules
        wishes = BucketWishes(
            tags.labels(self.install, rules.tags), console_origin, rules.kms_key, dropped_tags
        )
        name = names(self.spec, self.install).bucket
        return Bucket(self.google, self.install, name, wishes, location=self.install.region)

    def acting(
        self,
        storage: Bucket | AdoptedBucket,
        holder: Holder,
        needs: Sequence[Resource[Any]] = (),
    ) -> Acting:
        account, patience = self._account(holder), self.spec.timeouts.identity
        member = Member(account.output, holder, self.spec.rules.storage_role)
        access: Resource[Identity]
        if isinstance(storage, AdoptedBucket):
            access = AdoptedAccess(self.google, self.install, storage, account, holder)
        else:
            needed: tuple[Resource[Any], ...] = (storage, account, *needs)
            access = BucketAccess(
                self.google, self.install, storage, member, patience, needs=needed
            )
        proof = Proof(self.google, self.cluster, member.email, storage.name, patience, holder)
        return Acting((account, access), access, labels.SERVICE_ACCOUNT_ANNOTATION, proof)

    def _account(self, holder: Holder) -> Resource[str]:
        facts: GkeFacts = self.cluster.facts
        given = self.spec.existing.identity
        if given and holder is OPERATOR:
            return AdoptedAccount(self.google, self.install, given, facts.workload_pool)
        made, patience = _account_id(self.spec, self.install, holder), self.spec.timeouts.identity
        wishes = AccountWishes(made, facts.workload_pool, patience, holder)
        kind = PodAccount if holder is OPERATOR else WorkloadAccount
        return kind(self.google, self.install, wishes)
