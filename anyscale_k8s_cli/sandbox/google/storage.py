"""The storage API: buckets, their settings and their policies.

https://cloud.google.com/storage/docs/json_api/v1/buckets
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.google.api import Call, Handle, Method, Reply, Service
from anyscale_k8s_cli.sandbox.google.buckets import Bucket, Buckets
from anyscale_k8s_cli.sandbox.google.errors import GoogleError, invalid, not_found
from anyscale_k8s_cli.sandbox.google.object_api import ObjectApi
from anyscale_k8s_cli.sandbox.google.policies import ANY_ACCOUNT, ANYBODY
from anyscale_k8s_cli.sandbox.google.project import Project
from anyscale_k8s_cli.sandbox.google.storage_access import (
    FULL,
    READ,
    StorageAccess,
    check_precondition,
)
from anyscale_k8s_cli.sandbox.google.xml_api import XmlApi

_ALL = "/storage/v1/b"
_ONE = f"{_ALL}/{{bucket:[^/]+}}"
_IAM = f"{_ONE}/iam"
_PAGE = 1000


@dataclass(frozen=True)
class Storage:
    """https://storage.googleapis.com"""

    project: Project
    buckets: Buckets
    access: StorageAccess

    @classmethod
    def service(cls, project: Project, buckets: Buckets) -> Service:
        access = StorageAccess(project, buckets)
        own = cls(project, buckets, access).methods()
        # An object's plain address is looked at last: it fits nearly every path.
        methods = (*own, *ObjectApi(access).methods(), *XmlApi(access).methods())
        return Service("storage", methods, old_form=True)

    def methods(self) -> tuple[Method, ...]:
        def read(verb: str, path: str, handle: Handle) -> Method:
            return Method(f"storage.buckets.{verb}", "GET", path, handle, scopes=READ)

        def write(verb: str, http: str, path: str, handle: Handle) -> Method:
            return Method(f"storage.buckets.{verb}", http, path, handle, write=True, scopes=FULL)

        return (
            read("list", _ALL, self._list),
            write("insert", "POST", _ALL, self._insert),
            read("testIamPermissions", f"{_IAM}/testPermissions", self._test),
            read("getIamPolicy", _IAM, self._policy),
            write("setIamPolicy", "PUT", _IAM, self._set_policy),
            write("restore", "POST", f"{_ONE}/restore", self._restore),
            read("get", _ONE, self._get),
            write("patch", "PATCH", _ONE, self._patch),
            write("delete", "DELETE", _ONE, self._delete),
        )

    def _list(self, call: Call) -> Reply:
        self._in_project(call, "storage.buckets.list")
        prefix = call.query.get("prefix", "")
        deleted = call.flag("softDeleted")
        everything = self.buckets.soft_deleted() if deleted else self.buckets.live()
        found = [
            bucket.as_json()
            for bucket in sorted(everything, key=lambda bucket: bucket.name)
            if bucket.project_number == self.project.number and bucket.name.startswith(prefix)
        ]
        start = int(call.query.get("pageToken") or 0)
        end = start + int(call.query.get("maxResults") or _PAGE)
        page = {"kind": "storage#buckets", "items": found[start:end]}
        return Reply({**page, "nextPageToken": str(end)} if end < len(found) else page)

    def _insert(self, call: Call) -> Reply:
        self._in_project(call, "storage.buckets.create")
        uniform = (call.content.get("iamConfiguration") or {}).get("uniformBucketLevelAccess") or {}
        if uniform.get("enabled") and "predefinedAcl" in call.query:
            raise invalid(
                "Cannot use ACL API to update bucket policy when uniform bucket-level "
                "access is enabled."
            )
        return Reply(self.buckets.create(self.project.number, call.content).as_json())

    def _get(self, call: Call) -> Reply:
        if call.flag("softDeleted"):
            return Reply(self._soft_deleted(call).as_json())
        return Reply(self._bucket(call, "storage.buckets.get").as_json())

    def _patch(self, call: Call) -> Reply:
        bucket = self._bucket(call, "storage.buckets.update")
        check_precondition(call, "Metageneration", bucket.metageneration)
        self.buckets.patch(bucket, call.content)
        return Reply(bucket.as_json())

    def _delete(self, call: Call) -> Reply:
        bucket = self._bucket(call, "storage.buckets.delete")
        check_precondition(call, "Metageneration", bucket.metageneration)
        self.buckets.delete(bucket)
        return Reply(status=204)

    def _restore(self, call: Call) -> Reply:
        bucket = self._soft_deleted(call)
        self.access.check(call.caller, "storage.buckets.restore", bucket)
        generation = call.query.get("generation", "")
        return Reply(self.buckets.restore(bucket.name, generation).as_json())

    def _soft_deleted(self, call: Call) -> Bucket:
        name, generation = call.params["bucket"], call.query.get("generation")
        if not generation:
            raise invalid("Required parameter: generation")
        for bucket in self.buckets.soft_deleted():
            if (bucket.name, str(bucket.generation)) == (name, generation):
                self.access.check(call.caller, "storage.buckets.get", bucket)
                return bucket
        raise not_found("The specified bucket does not exist.")

    def _policy(self, call: Call) -> Reply:
        bucket = self._bucket(call, "storage.buckets.getIamPolicy")
        version = int(call.query.get("optionsRequestedPolicyVersion") or 1)
        found = self.project.rules.read(bucket.policy, "bucket", version)
        return Reply(_of_bucket(bucket, found))

    def _set_policy(self, call: Call) -> Reply:
        bucket = self._bucket(call, "storage.buckets.setIamPolicy")
        members = {
            member
            for binding in call.content.get("bindings") or ()
            for member in binding.get("members") or ()
        }
        if bucket.private and members & {ANYBODY, ANY_ACCOUNT}:
            raise GoogleError(
                "CONDITION_NOT_MET",
                "The member bindings allUsers and allAuthenticatedUsers are not allowed since "
                "public access prevention is enforced.",
            )
        try:
            self.project.rules.replace(bucket.policy, call.content, "bucket")
        except GoogleError as refused:
            if refused.code != "ABORTED":
                raise
            raise GoogleError(
                "CONDITION_NOT_MET",
                "At least one of the pre-conditions you specified did not hold.",
            ) from refused
        return Reply(_of_bucket(bucket, self.project.rules.shown(bucket.policy, 3)))

    def _test(self, call: Call) -> Reply:
        bucket = self.buckets.get(call.params["bucket"])
        held = [
            permission
            for permission in call.query.getall("permissions", [])
            if self.access.permits(call.caller, permission, bucket)
        ]
        found = {"kind": "storage#testIamPermissionsResponse"}
        return Reply({**found, "permissions": held} if held else found)

    def _bucket(self, call: Call, permission: str) -> Bucket:
        bucket = self.buckets.get(call.params["bucket"])
        self.access.check(call.caller, permission, bucket)
        return bucket

    def _in_project(self, call: Call, permission: str) -> None:
        name = call.query.get("project", "")
        if not name:
            raise invalid("Required parameter: project")
        if not self.project.is_called(name):
            raise invalid(f"Unknown project id: {name}")
        if not self.project.permits(call.caller, permission):
            raise self.access.denial(call.caller, permission, "Cloud project")


def _of_bucket(bucket: Bucket, policy: dict[str, Any]) -> dict[str, Any]:
    resource = {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket.name}"}
    return {**resource, **policy}
