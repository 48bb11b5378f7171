"""What the predefined roles allow, as far as the sandbox asks.

https://cloud.google.com/iam/docs/roles-permissions. Patterns are those of shells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

OWNER, EDITOR, VIEWER = "roles/owner", "roles/editor", "roles/viewer"
WORKLOAD_IDENTITY_USER = "roles/iam.workloadIdentityUser"
TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"
DISABLED = "DISABLED"
BUCKET_OWNER = "roles/storage.legacyBucketOwner"
BUCKET_READER = "roles/storage.legacyBucketReader"
OBJECT_OWNER = "roles/storage.legacyObjectOwner"
OBJECT_READER = "roles/storage.legacyObjectReader"

_ANY_UPLOADS = "storage.multipartUploads.*"
_LIST_UPLOADS = "storage.multipartUploads.list"
_SHOWN_PROJECT = ("resourcemanager.projects.get", "resourcemanager.projects.list")
_ACCOUNT_READS = ("iam.serviceAccounts.get", "iam.serviceAccounts.list")
_OBJECT_USE = tuple(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list"))
_READS = (
    *_SHOWN_PROJECT,
    *_ACCOUNT_READS,
    "compute.*.aggregatedList",
    "compute.*.get",
    "compute.*.list",
    "container.*.get",
    "container.*.list",
    "iam.roles.get",
    "iam.roles.list",
    "serviceusage.services.get",
    "serviceusage.services.list",
    "storage.buckets.list",
)
_EDITS = (
    *_READS,
    "bigquery.datasets.create",
    "compute.*",
    "container.clusters.*",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.delete",
    "iam.serviceAccounts.update",
    "pubsub.topics.create",
    "serviceusage.services.enable",
    "serviceusage.services.use",
    "storage.buckets.create",
    "storage.buckets.delete",
    "storage.buckets.restore",
)

# Objects and settings of buckets are no part of the basic roles: owners have them by the
# policy that a new bucket begins with. Nobody may act as an account by a basic role.
PREDEFINED: Mapping[str, tuple[str, ...]] = {
    VIEWER: _READS,
    EDITOR: _EDITS,
    OWNER: (
        *_EDITS,
        "container.*",
        "iam.roles.*",
        "iam.serviceAccounts.disable",
        "iam.serviceAccounts.enable",
        "iam.serviceAccounts.getIamPolicy",
        "iam.serviceAccounts.setIamPolicy",
        "iam.serviceAccounts.undelete",
        "iam.workloadIdentityPoolProviders.*",
        "iam.workloadIdentityPools.*",
        "resourcemanager.projects.*",
    ),
    "roles/browser": (*_SHOWN_PROJECT, "resourcemanager.projects.getIamPolicy"),
    "roles/compute.networkViewer": (
        "compute.forwardingRules.get",
        "compute.forwardingRules.list",
        "compute.regions.get",
    ),
    "roles/compute.viewer": ("compute.*.aggregatedList", "compute.*.get", "compute.*.list"),
    "roles/container.admin": ("container.*", *_SHOWN_PROJECT),
    "roles/container.clusterAdmin": ("container.clusters.*", *_SHOWN_PROJECT),
    "roles/container.clusterViewer": (
        "container.clusters.connect",
        "container.clusters.get",
        "container.clusters.list",
        *_SHOWN_PROJECT,
    ),
    "roles/container.defaultNodeServiceAccount": ("logging.*", "monitoring.*"),
    "roles/container.viewer": ("container.*.get", "container.*.list", "container.clusters.connect"),
    WORKLOAD_IDENTITY_USER: (
        *_ACCOUNT_READS,
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
    ),
    TOKEN_CREATOR: (
        *_ACCOUNT_READS,
        "iam.serviceAccounts.getAccessToken",
        "iam.serviceAccounts.getOpenIdToken",
        "iam.serviceAccounts.implicitDelegation",
        "iam.serviceAccounts.signBlob",
        "iam.serviceAccounts.signJwt",
    ),
    "roles/iam.serviceAccountOpenIdTokenCreator": (
        "iam.serviceAccounts.getOpenIdToken",
        "iam.serviceAccounts.getOpenIdTokenWithEmail",
    ),
    "roles/iam.serviceAccountUser": (*_ACCOUNT_READS, "iam.serviceAccounts.actAs"),
    "roles/iam.serviceAccountCreator": (*_ACCOUNT_READS, "iam.serviceAccounts.create"),
    "roles/iam.serviceAccountAdmin": (
        *_ACCOUNT_READS,
        *_SHOWN_PROJECT,
        "iam.serviceAccounts.create",
        "iam.serviceAccounts.delete",
        "iam.serviceAccounts.disable",
        "iam.serviceAccounts.enable",
        "iam.serviceAccounts.getIamPolicy",
        "iam.serviceAccounts.setIamPolicy",
        "iam.serviceAccounts.undelete",
        "iam.serviceAccounts.update",
    ),
    "roles/logging.logWriter": ("logging.logEntries.create",),
    "roles/monitoring.metricWriter": ("monitoring.timeSeries.create",),
    "roles/resourcemanager.projectIamAdmin": (
        *_SHOWN_PROJECT,
        "resourcemanager.projects.getIamPolicy",
        "resourcemanager.projects.setIamPolicy",
    ),
    "roles/serviceusage.serviceUsageConsumer": (
        "serviceusage.services.get",
        "serviceusage.services.list",
        "serviceusage.services.use",
    ),
    "roles/serviceusage.serviceUsageViewer": (
        "serviceusage.services.get",
        "serviceusage.services.list",
    ),
    "roles/storage.admin": (*_SHOWN_PROJECT, "storage.*"),
    "roles/storage.objectAdmin": (
        *_OBJECT_USE,
        "storage.objects.getIamPolicy",
        "storage.objects.setIamPolicy",
        "storage.objects.update",
        _ANY_UPLOADS,
    ),
    "roles/storage.objectUser": (*_OBJECT_USE, "storage.objects.update", _ANY_UPLOADS),
    "roles/storage.objectCreator": (
        "storage.objects.create",
        "storage.multipartUploads.abort",
        "storage.multipartUploads.create",
        "storage.multipartUploads.listParts",
    ),
    "roles/storage.objectViewer": ("storage.objects.get", "storage.objects.list"),
    BUCKET_OWNER: (
        "storage.buckets.get",
        "storage.buckets.getIamPolicy",
        "storage.buckets.setIamPolicy",
        "storage.buckets.update",
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.list",
        _ANY_UPLOADS,
    ),
    "roles/storage.legacyBucketWriter": (
        "storage.buckets.get",
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.list",
        _ANY_UPLOADS,
    ),
    BUCKET_READER: ("storage.buckets.get", "storage.objects.list", _LIST_UPLOADS),
    OBJECT_OWNER: (
        "storage.objects.get",
        "storage.objects.getIamPolicy",
        "storage.objects.setIamPolicy",
        "storage.objects.update",
    ),
    OBJECT_READER: ("storage.objects.get",),
}

# Where a role can be granted, if not everywhere.
_ACCOUNT_ROLES = "roles/iam."
_LEGACY = "roles/storage.legacy"
_BASIC = frozenset({OWNER, EDITOR, VIEWER})


@dataclass
class CustomRole:
    """One that a project or its organization defines.

    In policies it stays when it is disabled or deleted, and gives nothing there.
    """

    permissions: tuple[str, ...]
    title: str = ""
    description: str = ""
    stage: str = "GA"
    deleted: bool = False


class Roles:
    """The predefined roles, and those that the project and its organization define themselves."""

    def __init__(self) -> None:
        self.custom: dict[str, CustomRole] = {}

    def permissions(self, role: str) -> tuple[str, ...]:
        """Patterns of permissions; none for a role that does not exist."""
        own = self.custom.get(role)
        if own is None:
            return PREDEFINED.get(role, ())
        return () if own.deleted or own.stage == DISABLED else own.permissions

    def allows(self, role: str, permission: str) -> bool:
        return matches(self.permissions(role), permission)

    def fits(self, role: str, resource: str) -> bool:
        """Whether a role exists and can be granted on a project, an account or a bucket."""
        if role in self.custom:
            return not self.custom[role].deleted
        if role not in PREDEFINED:
            return False
        if resource == "account":
            return role.startswith(_ACCOUNT_ROLES) or role in _BASIC
        if resource == "bucket":
            return role.startswith("roles/storage.")
        return not role.startswith(_LEGACY)


def matches(patterns: Iterable[str], permission: str) -> bool:
    return any(fnmatchcase(permission, pattern) for pattern in patterns)
