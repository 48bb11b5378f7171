"""Operations on clouds and their resources.

Sources: the vendor's client and Terraform provider. Names of clouds are not
proven to be unique, so nothing here takes "the" cloud of a name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.client import Call, ControlPlane
from anyscale_k8s_cli.controlplane.failures import ApiFailure, outcome_unknown
from anyscale_k8s_cli.controlplane.models import (
    Cloud,
    CloudProvider,
    CloudResource,
    CloudState,
    DecoratedCloudResource,
    NewCloud,
    PresignedUrl,
    UserInfo,
)
from anyscale_k8s_cli.run import StillWaiting

# Seconds. A cloud that was just made answers 5xx to its first resource for a while.
ADD_WINDOW = 300.0
CREATE_WINDOW = 60.0
# The deletion itself takes 2 to 5 minutes.
DELETE_CALL = 600.0
DELETE_WINDOW = 900.0

_REFUSED = frozenset({400, 409, 422})
_ACTIVE = re.compile(r"\b(active|running|workloads?)\b", re.IGNORECASE)


def placeholder_credentials(provider: str, seed: str) -> str:
    """The value of a new cloud's `credentials`, which Kubernetes clouds do not use.

    AWS demands one that no other cloud has, and the backend parses Google's. It
    is derived from `seed` (the install's id), so that repeated runs send the same.
    """
    digest = hashlib.sha256(f"anyscale-k8s\n{seed}".encode()).hexdigest()[:32]
    if provider == CloudProvider.AWS:
        return digest
    if provider == CloudProvider.GCP:
        return json.dumps(
            {"provider_id": "", "project_id": digest, "service_account_email": digest}
        )
    return ""


class Clouds:
    """The clouds that one user of one control plane can see."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.run = plane.run

    def user(self) -> UserInfo:
        return self.plane.shaped(UserInfo, self.plane.result(Call("GET", "/api/v2/userinfo/")))

    def list_clouds(self, *, name: str | None = None) -> list[Cloud]:
        """Every cloud, or those the server finds by `name`, which need not mean equal."""
        found = self.plane.results(Call("GET", "/api/v2/clouds/", query={"name": name}))
        return [self.plane.shaped(Cloud, item) for item in found]

    def find_clouds(self, name: str) -> list[Cloud]:
        """All clouds of exactly this name; several are possible."""
        clouds = self.list_clouds(name=name)
        return [
            cloud for cloud in clouds if cloud.name == name and cloud.state != CloudState.DELETED
        ]

    def get_cloud(self, cloud_id: str) -> Cloud | None:
        """None when the control plane answers that there is no such cloud."""
        try:
            found = self.plane.result(Call("GET", f"/api/v2/clouds/{cloud_id}"))
        except ApiFailure as failure:
            if failure.status == 404:
                return None
            raise
        return self.plane.shaped(Cloud, found)

    def create_cloud(self, new: NewCloud) -> Cloud:
        """Make a cloud, even if others have the name: the caller has looked before.

        After a call whose outcome is unknown, a cloud of the name that was not
        there before is taken as made by it; only if there is none is it tried again.
        """
        before = {cloud.id for cloud in self.find_clouds(new.name)}
        body = new.payload()

        def attempt() -> Cloud:
            try:
                made = self.plane.result(Call("POST", "/api/v2/clouds/", body=body))
            except ApiFailure as failure:
                if not failure.outcome_unknown:
                    raise
                fresh = [cloud for cloud in self.find_clouds(new.name) if cloud.id not in before]
                if not fresh:
                    raise
                if len(fresh) > 1:
                    raise _ambiguous(new.name, fresh) from failure
                return fresh[0]
            return self.plane.shaped(Cloud, made)

        return self.run.retry(
            attempt,
            retriable=outcome_unknown,
            what=f"the creation of cloud {new.name}",
            timeout=CREATE_WINDOW,
        )

    def list_resources(self, cloud_id: str) -> list[DecoratedCloudResource]:
        found = self.plane.results(Call("GET", f"/api/v2/clouds/{cloud_id}/resources"))
        return [self.plane.shaped(DecoratedCloudResource, item) for item in found]

    def find_resource(self, cloud_id: str, name: str) -> DecoratedCloudResource | None:
        """The resource of that name; inside a cloud the server keeps names unique."""
        return next((item for item in self.list_resources(cloud_id) if item.name == name), None)

    def add_resource(
        self, cloud_id: str, resource: CloudResource, *, window: float = ADD_WINDOW
    ) -> DecoratedCloudResource:
        """Add a resource, or return the one that already has its name, as it is.

        The answer to the call only echoes the request, so the id is read from
        the list. Whether an existing resource is as wanted is the caller's to
        compare. Retries 5xx and broken connections for `window` seconds.
        """
        call = Call(
            "PUT",
            f"/api/v2/clouds/{cloud_id}/add_resource",
            body=resource.payload(),
            repeatable=False,
        )

        def attempt() -> None:
            try:
                self.plane.send(call)
            except ApiFailure:
                if self.find_resource(cloud_id, resource.name) is None:
                    raise

        self.run.retry(
            attempt,
            retriable=outcome_unknown,
            what=f"the registration of {resource.name}",
            timeout=window,
        )
        return self.run.wait_for(
            lambda: self._listed(cloud_id, resource.name),
            what=f"{resource.name} to be listed",
            timeout=window,
        )

    def update_resources(self, cloud_id: str, resources: Iterable[DecoratedCloudResource]) -> None:
        """Replace each of these resources as a whole by what is given."""
        body = [resource.undecorated() for resource in resources]
        self.plane.send(Call("PUT", f"/api/v2/clouds/{cloud_id}/resources", body=body))

    def remove_resource(self, cloud_id: str, name: str) -> None:
        """Remove a resource; gone already is success. The primary one cannot go alone."""
        call = Call(
            "DELETE",
            f"/api/v2/clouds/{cloud_id}/remove_resource",
            query={"cloud_resource_name": name},
        )
        try:
            self._unless_gone(call, f"The control plane keeps the resource {name}")
        except errors.CliError as refusal:
            # How an absent resource is answered is not documented.
            if refusal.code is errors.DELETION_REFUSED and not self.find_resource(cloud_id, name):
                return
            raise

    def start_deletion(self, cloud_id: str) -> None:
        """Tell the control plane that the cloud is going; nothing is removed by this yet."""
        call = Call(
            "PUT", f"/api/v2/clouds/{cloud_id}/state", query={"state": CloudState.DELETING.value}
        )
        self._unless_gone(call, "The control plane refuses to delete the cloud")

    def delete_cloud(
        self, cloud_id: str, *, force: bool = False, timeout: float = DELETE_WINDOW
    ) -> None:
        """Delete the record and wait until it is no longer listed; gone already is success.

        Raises `active-workloads` or `deletion-refused` when the control plane
        will not, and `timed-out` when it is still listed after `timeout` seconds.
        """
        cloud = self.get_cloud(cloud_id)
        if cloud is None:
            return
        call = Call(
            "DELETE",
            f"/api/v2/clouds/{cloud_id}",
            query={"force": "true"} if force else {},
            read_timeout=DELETE_CALL,
        )
        self._unless_gone(call, f"The control plane refuses to delete the cloud {cloud.name}")
        self.run.wait_for(
            lambda: self._check_gone(cloud),
            what=f"the control plane to delete cloud {cloud.name}",
            timeout=timeout,
            every=2.0,
        )

    def presigned_url(
        self,
        cloud_id: str,
        *,
        write: bool,
        file_type: str,
        file_name: str,
        resource_id: str | None = None,
    ) -> PresignedUrl:
        """A signed address for one object; its path is `<org>/<cloud>/<file_type>/<file_name>`."""
        body = {
            "file_type": file_type,
            "file_name": file_name,
            "access_mode": "WRITE" if write else "READ",
        }
        if resource_id is not None:
            body["cloud_resource_id"] = resource_id
        call = Call(
            "POST",
            f"/api/v2/clouds/{cloud_id}/generate_cloud_data_bucket_presigned_url",
            body=body,
            repeatable=True,
        )
        return self.plane.shaped(PresignedUrl, self.plane.result(call))

    def azure_audience(self) -> str:
        """What the operator's Azure tokens must be for, in the form the chart wants."""
        call = Call("GET", "/api/v2/clouds/anyscale/azure_operator_audience")
        return f"{self.plane.result(call)['azure_operator_audience']}/.default"

    def _listed(self, cloud_id: str, name: str) -> DecoratedCloudResource:
        found = self.find_resource(cloud_id, name)
        if found is None:
            raise StillWaiting("not listed yet")
        return found

    def _check_gone(self, cloud: Cloud) -> None:
        for listed in self.find_clouds(cloud.name):
            if listed.id == cloud.id:
                raise StillWaiting(f"state {listed.state or listed.status}")

    def _unless_gone(self, call: Call, refused: str) -> None:
        """Send a deletion: absent is success, and a refusal gets its own code."""
        try:
            self.plane.send(call)
        except ApiFailure as failure:
            if failure.status == 404:
                return
            if failure.status in _REFUSED:
                raise _deletion_refused(failure, refused) from failure
            raise


def _ambiguous(name: str, clouds: list[Cloud]) -> errors.CliError:
    return errors.CliError(
        errors.CLOUD_AMBIGUOUS,
        f"Several clouds named {name} appeared at once",
        cause="somebody else made one of that name at the same moment",
        evidence=tuple(cloud.id for cloud in clouds),
        fix="name the one to use with --cloud-id",
    )


def _deletion_refused(failure: ApiFailure, message: str) -> errors.CliError:
    active = bool(_ACTIVE.search(failure.detail))
    return errors.CliError(
        errors.ACTIVE_WORKLOADS if active else errors.DELETION_REFUSED,
        message,
        cause=failure.cause,
        evidence=failure.evidence,
        fix=(
            "stop the workloads in the console and run the same command again; it goes on from here"
            if active
            else "mend what the control plane names and run the same command again"
        ),
        details=failure.details,
    )
