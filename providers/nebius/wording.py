"""What a user may say here: offline, in the words of the options."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anyscale_k8s_cli.providers.nebius import tags
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import refuse

NAMES = ("bucket", "service-account", "group")

_PROJECT = re.compile(r"project-[a-z0-9]+")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+[0-9]+")
# https://docs.nebius.com/object-storage/overview
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ACCOUNT = re.compile(r"serviceaccount-[a-z0-9]+")


def bucket_name(given: str) -> str:
    """The name in what a user calls a bucket: a name or `s3://name`; empty if in none."""
    name = given.removeprefix("s3://").rstrip("/")
    return name if _BUCKET.fullmatch(name) else ""


def check(spec: CloudSpec) -> None:
    """Refuse what Nebius would refuse, and what means nothing here (`invalid-spec`)."""
    wrong = [*_wrong_places(spec), *_wrong_names(spec), *_wrong_tags(spec), *_wrong_network(spec)]
    refuse(wrong, "docs/providers/nebius.md")


def _wrong_places(spec: CloudSpec) -> Iterator[str]:
    project, region = spec.account.project_id, spec.region
    if project and not _PROJECT.fullmatch(project):
        yield f"--project-id: {project!r} is no project's id, which begins with 'project-'"
    if region and not _REGION.fullmatch(region):
        yield f"--region: {region!r} is no region, such as eu-north1"


def _wrong_names(spec: CloudSpec) -> Iterator[str]:
    rules, existing = spec.rules, spec.existing
    if unknown := sorted(set(rules.names) - set(NAMES)):
        yield (
            f"rules.names: {', '.join(unknown)}: nothing of that name is made here; "
            f"accepted: {', '.join(NAMES)}"
        )
    bucket = rules.names.get("bucket")
    if bucket and not _BUCKET.fullmatch(bucket):
        yield f"rules.names.bucket: {bucket!r} is no name that Nebius takes for a bucket"
    for what in ("service-account", "group"):
        name = rules.names.get(what)
        if name and not _NAME.fullmatch(name):
            yield (
                f"rules.names.{what}: {name!r} is no name: 1 to 63 lower-case letters, "
                "digits and dashes"
            )
    if existing.identity and not _ACCOUNT.fullmatch(existing.identity):
        yield (
            f"--identity: {existing.identity!r} is no service account's id, which begins "
            "with 'serviceaccount-'"
        )
    if existing.bucket and not bucket_name(existing.bucket):
        yield f"--bucket: {existing.bucket!r} is no bucket's name, nor s3://<name>"


def _wrong_tags(spec: CloudSpec) -> Iterator[str]:
    given = spec.rules.tags
    for key, value in given.items():
        if not (tags.LABEL_KEY.fullmatch(key) and tags.LABEL_VALUE.fullmatch(value)):
            yield (
                f"--tag: {key}={value} is no label of Nebius: lower-case letters, digits, "
                "dashes, dots and underscores, 63 at most, the key beginning with a letter"
            )
    if len(given) > tags.MOST_OF_USERS:
        yield f"--tag: {len(given)} are too many: {tags.MOST_OF_USERS} are taken beside ours"


def _wrong_network(spec: CloudSpec) -> Iterator[str]:
    if spec.existing.storage_keys == "federation":
        yield "--storage-keys: federation: the object store's S3 calls take access keys alone"
    if spec.network.load_balancer_subnets:
        yield "--lb-subnet: Nebius chooses the subnet of a load balancer by itself"
