"""What of a spec AWS would refuse, as far as it can be told offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from anyscale_k8s_cli.install import MARK_PREFIX
from anyscale_k8s_cli.providers.eks import cloud_side
from anyscale_k8s_cli.providers.eks.sdk.regions import known_regions
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import refuse

NAMES = ("bucket", "role", "workload-role")
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d{1,2}")
_ROLE_PATH = re.compile(r"/|/[!-~]+/")
_POLICY_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}|aws):policy/.+")
_ROLE_ARN = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")
# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")
# AWS takes 50 on a role, and the locator has eleven.
MOST_OF_USERS = 39
_KEY = re.compile(r"alias/[\w/-]+|(mrk-)?[0-9a-f-]{32,36}|arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:.+")


def check(spec: CloudSpec) -> None:
    """Raise `invalid-spec` with every value that AWS would refuse or that means nothing here."""
    wrong = [*_of_place(spec), *_of_rules(spec), *_of_tags(spec), *_of_existing(spec)]
    refuse(wrong, "docs/providers/eks.md")


def near_region(region: str) -> str:
    """The region that was probably meant; empty for one that the SDK knows, or is near none."""
    near = get_close_matches(region, known_regions(), n=1)
    return near[0] if near and near[0] != region else ""


def _of_place(spec: CloudSpec) -> Iterator[str]:
    if spec.region and not _REGION.fullmatch(spec.region):
        written = re.sub(r"[^a-z0-9]+", "-", spec.region.lower())
        near = get_close_matches(written, known_regions(), n=1) or known_regions()
        yield f"--region: {spec.region!r} is no region of AWS; give one such as {near[0]}"
    if spec.account.id and not _ACCOUNT.fullmatch(spec.account.id):
        yield f"--account-id: {spec.account.id!r} is no AWS account; give its twelve digits"


def _of_rules(spec: CloudSpec) -> Iterator[str]:
    rules = spec.rules
    if unknown := sorted(set(rules.names) - set(NAMES)):
        yield (
            f"rules.names: {', '.join(unknown)}: nothing of that name is made here; "
            f"accepted: {', '.join(NAMES)}"
        )
    bucket = rules.names.get("bucket")
    if bucket and cloud_side.bucket_name(bucket) != bucket:
        yield (
            f"rules.names.bucket: {bucket!r} is no bucket's name; use 3 to 63 lower-case letters, "
            "digits, dashes and dots"
        )
    if rules.role_path and not _ROLE_PATH.fullmatch(cloud_side.slashed(rules.role_path)):
        yield f"--role-path: {rules.role_path!r} is no path of IAM, such as /team/"
    if rules.permissions_boundary and not _POLICY_ARN.fullmatch(rules.permissions_boundary):
        yield (
            f"--permissions-boundary: {rules.permissions_boundary!r} is no policy; give the ARN "
            "of a managed policy, arn:<partition>:iam::<account>:policy/<name>"
        )
    if rules.kms_key and not _KEY.fullmatch(rules.kms_key):
        yield f"--kms-key: {rules.kms_key!r} is no key; give its id, its ARN or alias/<name>"


def _of_tags(spec: CloudSpec) -> Iterator[str]:
    given = spec.rules.tags
    for key, value in given.items():
        if key.lower().startswith("aws:"):
            yield f"--tag: {key}={value}: AWS keeps keys that begin with aws: to itself"
        elif key.startswith(f"{MARK_PREFIX}/"):
            yield f"--tag: {key}={value}: keys that begin with {MARK_PREFIX}/ are this tool's own"
        elif not (_TAG_TEXT.fullmatch(key) and _TAG_TEXT.fullmatch(value)):
            yield (
                f"--tag: {key}={value} is no tag of AWS: letters, digits, spaces and _ . : / = + "
                "- @, the key 128 at most, the value 256"
            )
    if len(given) > MOST_OF_USERS:
        yield f"--tag: {len(given)} are too many: {MOST_OF_USERS} fit beside ours"


def _of_existing(spec: CloudSpec) -> Iterator[str]:
    rules, existing = spec.rules, spec.existing
    if existing.identity and not _ROLE_ARN.fullmatch(existing.identity):
        yield (
            f"--identity: {existing.identity!r} is no role; give its ARN, "
            "arn:<partition>:iam::<account>:role/<name>"
        )
    makes_role = not existing.identity or spec.identity.workloads == "separate"
    if not makes_role and (rules.role_path or rules.permissions_boundary):
        yield "--role-path, --permissions-boundary: no role is made with --identity"
    if existing.bucket and rules.kms_key:
        yield "--kms-key: a bucket given with --bucket keeps the encryption it has"
    if existing.bucket and not cloud_side.bucket_name(existing.bucket):
        yield (
            f"--bucket: {existing.bucket!r} names no bucket; give its name, s3://<name> or its ARN"
        )
