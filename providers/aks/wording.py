"""What a user may say here: offline, in the words of the options."""

from __future__ import annotations

import re

from anyscale_k8s_cli.holders import HOLDERS
from anyscale_k8s_cli.providers.aks import bucket, encryption_key, tags
from anyscale_k8s_cli.providers.azureblob.trust import Place, place_of
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import refuse

NAMES = (*(holder.named("identity") for holder in HOLDERS), "storage-account")

_ACCOUNT = r"(?P<account>[a-z0-9]{3,24})"
# https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
_CONTAINER = r"(?P<container>(?=.{3,63}(@|$))[a-z0-9]+(-[a-z0-9]+)*)"
_PLACES = (
    re.compile(rf"abfss://{_CONTAINER}@{_ACCOUNT}\.[a-z0-9.-]+/?"),
    re.compile(rf"{_ACCOUNT}/{_CONTAINER}/?"),
)
_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")
_IDENTITY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,127}")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def bucket_place(given: str) -> bucket.Place | None:
    """What a user calls a bucket: `abfss://container@account…` or `account/container`."""
    for pattern in _PLACES:
        if found := pattern.fullmatch(given):
            return bucket.Place(found["account"], found["container"])
    return None


def identity_place(given: str, subscription: str) -> Place | None:
    """Where an identity is, by its resource id; None for one of another subscription."""
    found = place_of(given)
    return found if found and found.subscription.lower() == subscription.lower() else None


def check(spec: CloudSpec) -> None:
    """Refuse what Azure would refuse, and what means nothing here (`invalid-spec`)."""
    wrong = [*_wrong_rules(spec), *_wrong_places(spec)]
    refuse(wrong, "docs/providers/aks.md")


def _wrong_rules(spec: CloudSpec) -> list[str]:
    rules, wrong = spec.rules, []
    if unknown := sorted(set(rules.names) - set(NAMES)):
        wrong.append(
            f"rules.names: {', '.join(unknown)}: nothing of that name is made here; "
            f"accepted: {', '.join(NAMES)}"
        )
    account = rules.names.get("storage-account")
    if account and not _ACCOUNT_NAME.fullmatch(account):
        wrong.append(
            f"rules.names.storage-account: {account!r}: 3 to 24 lower-case letters and digits"
        )
    wrong += [
        f"rules.names.{key}: {given!r}: 3 to 128 letters, digits, '-' and '_', beginning with "
        "a letter or digit"
        for key in (holder.named("identity") for holder in HOLDERS)
        if (given := rules.names.get(key)) and not _IDENTITY_NAME.fullmatch(given)
    ]
    wrong += [
        f"--tag: {key}: the names of Azure's tags are without <, >, %, &, \\, ? and /, and begin "
        "with neither microsoft, azure nor windows"
        for key in rules.tags
        if not tags.TAG_NAME.fullmatch(key)
    ]
    if len(rules.tags) > tags.MOST_OF_USERS:
        wrong.append(f"--tag: {len(rules.tags)} are too many; {tags.MOST_OF_USERS} fit beside ours")
    return wrong


def _wrong_places(spec: CloudSpec) -> list[str]:
    existing, network, wrong = spec.existing, spec.network, []
    subscription = spec.account.subscription_id or ""
    if not _GUID.fullmatch(subscription):
        wrong.append("--subscription-id: give the id of a subscription, not its name")
    if existing.bucket and not bucket_place(existing.bucket):
        wrong.append("--bucket: give ACCOUNT/CONTAINER or abfss://CONTAINER@ACCOUNT.dfs…")
    if existing.identity and not identity_place(existing.identity, subscription):
        wrong.append(
            "--identity: give the resource id of a user-assigned identity in the same subscription"
        )
    wrong += _wrong_key(spec, subscription)
    if existing.bucket and spec.rules.azure_shared_key == "off":
        wrong.append("--azure-shared-key: an account given with --bucket stays as it is")
    theirs = existing.bucket and existing.identity and not spec.identity.separate
    if theirs and spec.rules.storage_role:
        wrong.append(
            "--storage-role: to an identity of yours on an account of yours setup grants nothing"
        )
    if network.load_balancer_subnets and network.expose == "public":
        wrong.append("--lb-subnet: only an internal load balancer is in a subnet of yours")
    return wrong


def _wrong_key(spec: CloudSpec, subscription: str) -> list[str]:
    key, user, wrong = spec.rules.kms_key, spec.rules.kms_identity, []
    if key and not encryption_key.key_name(key):
        wrong.append(
            f"--kms-key: {key!r} is no key's identifier: "
            "https://<vault>.vault.azure.net/keys/<key>, with a version or without"
        )
    if user and not identity_place(user, subscription):
        wrong.append(
            "--kms-identity: give the resource id of a user-assigned identity in the same "
            "subscription"
        )
    if bool(key) != bool(user):
        wrong.append(
            "--kms-key, --kms-identity: one says nothing without the other: Azure uses a key in "
            "the name of an identity that may use it"
        )
    if key and spec.existing.bucket:
        wrong.append("--kms-key: an account given with --bucket keeps the encryption it has")
    return wrong
