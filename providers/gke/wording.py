"""What a user may say here: offline, in the words of the options."""

from __future__ import annotations

import re
from collections.abc import Iterator

from anyscale_k8s_cli.holders import HOLDERS, OPERATOR, Holder
from anyscale_k8s_cli.providers.gcs.wording import BUCKET_NAME, bucket_name, wrong_tags
from anyscale_k8s_cli.providers.gke import identity
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.spec_loading import refuse

NAMES = ("bucket", *(holder.named(identity.KIND) for holder in HOLDERS))

# https://cloud.google.com/resource-manager/docs/creating-managing-projects
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{2,28}[a-z0-9]")
_PLACE = re.compile(r"[a-z]+(-[a-z]+)+[0-9]+(-[a-z])?")
# https://cloud.google.com/iam/docs/service-accounts-create
_ACCOUNT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_EMAIL = re.compile(r"[a-z0-9][a-z0-9-]{4,61}[a-z0-9]@[a-z0-9.-]+\.gserviceaccount\.com")
_KMS_KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")

# https://cloud.google.com/iam/docs/creating-custom-roles
_OWN_ROLE = re.compile(r"(project|organization)s/([^/]+)/roles/([A-Za-z0-9_.]{3,64})")


def location_of_key(kms_key: str) -> str:
    """Where a key is, by its full name."""
    found = _KMS_KEY.fullmatch(kms_key)
    return found[1] if found else ""


def place_of_role(name: str) -> str:
    """How Google's command line is told of a role."""
    found = _OWN_ROLE.fullmatch(name)
    return f"{found[3]} --{found[1]}={found[2]}" if found else name


def check(spec: CloudSpec) -> None:
    """Refuse what Google would refuse, and what means nothing here (`invalid-spec`)."""
    wrong = [
        *_wrong_places(spec),
        *_wrong_names(spec),
        *_wrong_role(spec),
        *wrong_tags(spec.rules.tags),
        *_wrong_network(spec),
    ]
    refuse(wrong, "docs/providers/gke.md")


def _wrong_places(spec: CloudSpec) -> Iterator[str]:
    project, region = spec.account.project_id, spec.region
    if project and not _PROJECT.fullmatch(project):
        yield f"--project-id: {project!r} is no project's id (which is neither its name nor number)"
    if region and not _PLACE.fullmatch(region):
        yield f"--region: {region!r} is neither a region, such as us-central1, nor a zone"


def _wrong_names(spec: CloudSpec) -> Iterator[str]:
    rules, existing = spec.rules, spec.existing
    if unknown := sorted(set(rules.names) - set(NAMES)):
        yield (
            f"rules.names: {', '.join(unknown)}: nothing of that name is made here; "
            f"accepted: {', '.join(NAMES)}"
        )
    bucket = rules.names.get("bucket")
    if bucket and not BUCKET_NAME.fullmatch(bucket):
        yield f"rules.names.bucket: {bucket!r} is no name that Google takes for a bucket"
    for holder in HOLDERS:
        yield from _wrong_account(spec, holder)
    if existing.identity and not _EMAIL.fullmatch(existing.identity):
        yield f"--identity: {existing.identity!r} is no service account's e-mail"
    if existing.bucket and not bucket_name(existing.bucket):
        yield f"--bucket: {existing.bucket!r} is no bucket's name, nor gs://<name>"
    if existing.bucket and rules.kms_key:
        yield "--kms-key: a bucket given with --bucket keeps the encryption it has"
    if rules.kms_key and not location_of_key(rules.kms_key):
        yield (
            f"--kms-key: {rules.kms_key!r} is no key's full name: projects/<project>/locations/"
            "<location>/keyRings/<ring>/cryptoKeys/<key>"
        )
    prefix = rules.name_prefix
    if not existing.bucket and not bucket and prefix.startswith("goog"):
        yield "--name-prefix: Google keeps names that begin with 'goog' to itself"


def _wrong_account(spec: CloudSpec, holder: Holder) -> Iterator[str]:
    key, prefix = holder.named(identity.KIND), spec.rules.name_prefix
    if given := spec.rules.names.get(key):
        if not _ACCOUNT_ID.fullmatch(given):
            yield (
                f"rules.names.{key}: {given!r} is no name of an account: 6 to 30 "
                "lower-case letters, digits and dashes, beginning with a letter"
            )
        return
    made = not spec.existing.identity if holder is OPERATOR else spec.identity.separate
    longest = identity.longest_prefix(holder)
    if made and not (len(prefix) <= longest and prefix[0].isalpha()):
        yield (
            "--name-prefix: it begins a service account's name, so it must begin with a letter "
            f"and leave room: {longest} characters at most; give another one, or rules.names.{key}"
        )


def _wrong_role(spec: CloudSpec) -> Iterator[str]:
    given, project = spec.rules.storage_role, spec.account.project_id
    if not given:
        return
    found = _OWN_ROLE.fullmatch(given)
    if found is None:
        yield (
            f"--storage-role: {given!r} is no full name of a role of yours: "
            "projects/<project>/roles/<role> or organizations/<number>/roles/<role>"
        )
    elif found[1] == "project" and project and found[2] != project:
        yield (
            f"--storage-role: a role of the project {found[2]} can be granted in that project "
            f"alone, and not in {project}; give one of {project}, or of your organization"
        )
    if spec.existing.bucket:
        yield "--storage-role: on a bucket given with --bucket setup grants nothing"


def _wrong_network(spec: CloudSpec) -> Iterator[str]:
    subnets = spec.network.load_balancer_subnets
    if subnets and spec.network.expose != "internal":
        yield "--lb-subnet: only an internal load balancer is in a subnet here (--expose internal)"
    if len(subnets) > 1:
        yield "--lb-subnet: an internal load balancer of GKE is in one subnet"
