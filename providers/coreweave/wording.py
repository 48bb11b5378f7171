"""What a user may say here: offline, in the words of the options."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anyscale_k8s_cli.providers.coreweave import tags
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import refuse

NAMES = ("bucket", "policy")
_ZONE = re.compile(r"[A-Za-z]+(-[A-Za-z]+)+-[0-9]+[A-Za-z]")
_RESERVED = ("cw-", "vip-", "log-stitcher-ch-", "xn--")
# https://docs.coreweave.com/products/storage/object-storage/buckets/create-bucket
BUCKET = re.compile(
    rf"(?!{'|'.join(_RESERVED)})(?!int$)[a-z0-9][a-z0-9-]{{1,61}}[a-z0-9]",
)
_POLICY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def bucket_name(given: str) -> str:
    """The name in what a user calls a bucket: a name or `s3://name`; empty if in none."""
    name = given.removeprefix("s3://").rstrip("/")
    return name if BUCKET.fullmatch(name) else ""


def check(spec: CloudSpec) -> None:
    """Refuse what CoreWeave would refuse, and what means nothing here (`invalid-spec`)."""
    wrong = [*_wrong_places(spec), *_wrong_names(spec), *_wrong_tags(spec), *_wrong_rest(spec)]
    refuse(wrong, "docs/providers/coreweave.md")


def _wrong_places(spec: CloudSpec) -> Iterator[str]:
    if spec.region and not _ZONE.fullmatch(spec.region):
        yield f"--region: {spec.region!r} is no availability zone, such as us-east-04a"


def _wrong_names(spec: CloudSpec) -> Iterator[str]:
    rules, existing = spec.rules, spec.existing
    if unknown := sorted(set(rules.names) - set(NAMES)):
        yield (
            f"rules.names: {', '.join(unknown)}: nothing of that name is made here; "
            f"accepted: {', '.join(NAMES)}"
        )
    bucket, policy = rules.names.get("bucket"), rules.names.get("policy")
    if bucket and not BUCKET.fullmatch(bucket):
        yield f"rules.names.bucket: {bucket!r} is no name that CoreWeave takes for a bucket"
    if policy and not _POLICY.fullmatch(policy):
        yield f"rules.names.policy: {policy!r} is no name: letters, digits and dashes, 63 at most"
    if f"{rules.name_prefix}-".startswith(_RESERVED) and not (bucket or existing.bucket):
        yield (
            f"--name-prefix: {rules.name_prefix!r}: CoreWeave keeps names of buckets that begin "
            f"with {', '.join(_RESERVED)} to itself"
        )
    if existing.bucket and not bucket_name(existing.bucket):
        yield f"--bucket: {existing.bucket!r} is no bucket's name, nor s3://<name>"


def _wrong_tags(spec: CloudSpec) -> Iterator[str]:
    given = spec.rules.tags
    for key, value in given.items():
        usable = tags.KEY.fullmatch(key) and tags.VALUE.fullmatch(value) and key != tags.NAME
        if not usable:
            yield (
                f"--tag: {key}={value} cannot be an access key's attribute: lower-case letters, "
                "digits and dashes, 63 at most; not name, nor beginning with cw-, role or groups"
            )
    if len(given) > tags.MOST_OF_USERS:
        yield f"--tag: {len(given)} are too many: {tags.MOST_OF_USERS} are taken beside ours"


def _wrong_rest(spec: CloudSpec) -> Iterator[str]:
    if spec.network.load_balancer_subnets:
        yield "--lb-subnet: CoreWeave chooses the address of a load balancer by itself"
    if spec.existing.identity:
        yield (
            "--identity: pods reach the bucket with a key that setup makes, or, with "
            "--storage-keys federation, as a role that follows from the cluster"
        )
    if spec.existing.identity_audience and spec.existing.storage_keys != "federation":
        yield "existing.identity_audience: no token is made but with --storage-keys federation"
