"""What a user may say here: offline, in the words of the options."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anyscale_k8s_cli.providers.oke import tags
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import refuse

NAMES = ("bucket", "user", "group", "policy")

_COMPARTMENT = re.compile(r"ocid1\.(compartment|tenancy)\.[a-z0-9.-]+")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+")
# As S3 clients take them; Oracle's own rules are wider.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,254}[A-Za-z0-9]")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_USER = re.compile(r"ocid1\.user\.[a-z0-9.-]+")
_SUBNET = re.compile(r"ocid1\.subnet\.[a-z0-9.-]+")


def bucket_name(given: str) -> str:
    """The name in what a user calls a bucket: a name or `s3://name`; empty if in none."""
    name = given.removeprefix("s3://").rstrip("/")
    return name if _BUCKET.fullmatch(name) else ""


def check(spec: CloudSpec) -> None:
    """Refuse what Oracle would refuse, and what means nothing here (`invalid-spec`)."""
    wrong = [*_wrong_places(spec), *_wrong_names(spec), *_wrong_tags(spec), *_wrong_network(spec)]
    refuse(wrong, "docs/providers/oke.md")


def _wrong_places(spec: CloudSpec) -> Iterator[str]:
    compartment, region = spec.account.compartment_id, spec.region
    if compartment and not _COMPARTMENT.fullmatch(compartment):
        yield (
            f"--compartment-id: {compartment!r} is no compartment's id, which begins with "
            "'ocid1.compartment.'"
        )
    if region and not _REGION.fullmatch(region):
        yield f"--region: {region!r} is no region, such as us-ashburn-1"


def _wrong_names(spec: CloudSpec) -> Iterator[str]:
    rules, existing = spec.rules, spec.existing
    if unknown := sorted(set(rules.names) - set(NAMES)):
        yield (
            f"rules.names: {', '.join(unknown)}: nothing of that name is made here; "
            f"accepted: {', '.join(NAMES)}"
        )
    bucket = rules.names.get("bucket")
    if bucket and not _BUCKET.fullmatch(bucket):
        yield f"rules.names.bucket: {bucket!r} is no name that Oracle takes for a bucket"
    for what in ("user", "group", "policy"):
        name = rules.names.get(what)
        if name and not _NAME.fullmatch(name):
            yield (
                f"rules.names.{what}: {name!r} is no name: 1 to 100 letters, digits, dots, "
                "dashes and underscores"
            )
    if existing.storage_keys == "federation":
        yield "--storage-keys: federation: Oracle's S3 calls take customer secret keys alone"
    if existing.identity and not _USER.fullmatch(existing.identity):
        yield f"--identity: {existing.identity!r} is no user's id, which begins with 'ocid1.user.'"
    if existing.bucket and not bucket_name(existing.bucket):
        yield f"--bucket: {existing.bucket!r} is no bucket's name, nor s3://<name>"


def _wrong_tags(spec: CloudSpec) -> Iterator[str]:
    given = spec.rules.tags
    for key, value in given.items():
        if len(key) > tags.KEY_LIMIT or len(value) > tags.VALUE_LIMIT:
            yield (
                f"--tag: {key} is no free-form tag of Oracle: {tags.KEY_LIMIT} characters at "
                f"most, and {tags.VALUE_LIMIT} for its value"
            )
    if len(given) > tags.MOST_OF_USERS:
        yield f"--tag: {len(given)} are too many: {tags.MOST_OF_USERS} are taken beside ours"


def _wrong_network(spec: CloudSpec) -> Iterator[str]:
    subnets = spec.network.load_balancer_subnets
    if len(subnets) > 1:
        yield "--lb-subnet: a network load balancer is in one subnet"
    for subnet in subnets:
        if not _SUBNET.fullmatch(subnet):
            yield f"--lb-subnet: {subnet!r} is no subnet's id, which begins with 'ocid1.subnet.'"
