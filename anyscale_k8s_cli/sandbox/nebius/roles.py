"""Who may do what: roles that groups hold on a tenant, a project or one resource of it.

https://docs.nebius.com/iam/authorization/roles
https://docs.nebius.com/object-storage/supported-actions
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

# Permissions are named after the calls: service.resource.verb.
_READ = ("*.get", "*.list")
_OBJECT_EDITOR = (
    "s3.GetObject",
    "s3.HeadObject",
    "s3.PutObject",
    "s3.DeleteObject",
    "s3.DeleteObjects",
    "s3.ListObjects",
    "s3.ListObjectsV2",
    "s3.ListObjectVersions",
    "s3.ListParts",
    "s3.CreateMultipartUpload",
    "s3.CompleteMultipartUpload",
    "s3.AbortMultipartUpload",
    "s3.ListMultipartUploads",
    "s3.UploadPart",
    "s3.UploadPartCopy",
    "s3.CopyObject",
    "s3.PostObject",
)
_STORAGE_VIEWER = (
    "storage.bucket.get",
    "s3.GetObject",
    "s3.HeadObject",
    "s3.ListObjects",
    "s3.ListObjectsV2",
    "s3.ListObjectVersions",
    "s3.ListMultipartUploads",
    "s3.HeadBucket",
    "s3.GetBucketLocation",
    "s3.GetBucketVersioning",
    "s3.GetBucketLifecycleConfiguration",
)
ROLES: Mapping[str, tuple[str, ...]] = {
    "admin": ("*",),
    "editor": (
        *_READ,
        "storage.*",
        "s3.*",
        "mk8s.*",
        "vpc.*",
        "iam.serviceaccount.*",
    ),
    "viewer": (*_READ, *_STORAGE_VIEWER),
    "auditor": _READ,
    "storage.editor": ("storage.*", "s3.*"),
    "storage.viewer": _STORAGE_VIEWER,
    "storage.object-editor": _OBJECT_EDITOR,
    "storage.object-viewer": ("s3.GetObject", "s3.HeadObject"),
    "storage.object-lister": ("s3.ListObjects", "s3.ListObjectsV2", "s3.ListObjectVersions"),
    "storage.uploader": (
        "s3.PutObject",
        "s3.HeadBucket",
        "s3.CreateMultipartUpload",
        "s3.CompleteMultipartUpload",
        "s3.AbortMultipartUpload",
        "s3.UploadPart",
    ),
}


def permits(role: str, permission: str) -> bool:
    """Whether a role has a permission in it."""
    return any(fnmatchcase(permission, pattern) for pattern in ROLES.get(role, ()))
