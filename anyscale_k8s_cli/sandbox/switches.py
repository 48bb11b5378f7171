"""What can be broken or changed in a running sandbox, by name, as it happens in life.

Nothing here goes over the wire: it is what somebody else does behind the
tool's back, and leaves no trace in the recorded calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from anyscale_k8s_cli.sandbox.azure.seed import ADMIN_ROLES
from anyscale_k8s_cli.sandbox.controlplane.accounts import Key
from anyscale_k8s_cli.sandbox.platforms import Break
from anyscale_k8s_cli.sandbox.stage import Stage

Fields = Mapping[str, Any]


class NothingToSwitch(LookupError):
    """What is to be changed is not there."""


class Deletable(Protocol):
    """A platform whose main cluster can go."""

    @property
    def main(self) -> str:
        """The name of that cluster."""
        ...

    async def delete_cluster(self) -> None:
        """Raises LookupError if it has gone."""
        ...


class Switches:
    """Changes to one sandbox. Every method returns what was changed, for people and tests."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        platforms = self._of_platforms()
        self._breaks: Mapping[str, Mapping[str, Break]] = {
            "anyscale": {
                "registration": self._delete_registration,
                "token": self._expire_token,
                "operator-token": self._revoke_operator_keys,
                "operator-token-age": self._age_operator_keys,
            },
            **{name: breaks.named() for name, breaks in platforms.items()},
        }
        self._mends: Mapping[str, Mapping[str, Break]] = {
            "anyscale": {"token": self._renew_token},
            **{name: breaks.mended() for name, breaks in platforms.items() if _mends(breaks)},
        }

    def _of_platforms(self) -> dict[str, Any]:
        """What can go wrong on each platform that is there; the modules of others stay unread."""
        stage, registered = self._stage, self._registered_buckets
        found: dict[str, Any] = {}
        if stage.has("eks"):
            from anyscale_k8s_cli.sandbox.eks_breaks import EksBreaks

            found["eks"] = EksBreaks(stage.eks, registered)
        if stage.has("gke"):
            from anyscale_k8s_cli.sandbox.gke_breaks import GkeBreaks

            found["gke"] = GkeBreaks(stage.gke, registered)
        if stage.has("aks"):
            from anyscale_k8s_cli.sandbox.aks_breaks import AksBreaks

            found["aks"] = AksBreaks(stage.aks, registered, stage.plane.registry)
        if stage.has("nebius"):
            from anyscale_k8s_cli.sandbox.mk8s_breaks import NebiusBreaks

            found["nebius"] = NebiusBreaks(stage.nebius)
        if stage.has("coreweave"):
            from anyscale_k8s_cli.sandbox.cks_breaks import CoreWeaveBreaks

            found["coreweave"] = CoreWeaveBreaks(stage.coreweave)
        if stage.has("oke"):
            from anyscale_k8s_cli.sandbox.oke_breaks import OkeBreaks

            found["oke"] = OkeBreaks(stage.oke)
        return found

    def break_(self, name: str, fields: Fields) -> list[str]:
        """Break a wire wherever it is. Raises NothingToSwitch.

        `name` in the fields narrows it to one thing, `platform` to one platform.
        """
        return _switched(self._breaks, "break", name, fields)

    def mend(self, name: str, fields: Fields) -> list[str]:
        """Put right what only others than the tool can. Raises NothingToSwitch.

        All else is mended by setting the cloud up again. Fields as in `break_`.
        """
        return _switched(self._mends, "mend", name, fields)

    def active_workloads(self, fields: Fields) -> list[str]:
        """Let `count` Ray clusters run on the resource `resource_id`, or on every one."""
        count, wanted = int(fields["count"]), fields.get("resource_id")
        found = [
            resource.id
            for cloud in self._stage.plane.registry.clouds()
            for resource in cloud.resources
            if wanted in (None, resource.id)
        ]
        if not found:
            raise NothingToSwitch("no cloud resource is registered")
        for resource_id in found:
            self._stage.plane.set_active_workloads(resource_id, count)
        return found

    async def delete_cluster(self, fields: Fields) -> list[str]:
        """Delete the main cluster of `platform` (eks by default) behind everybody's back."""
        platform: Deletable = self._stage.there(fields.get("platform") or "eks")
        try:
            await platform.delete_cluster()
        except LookupError as gone:
            raise NothingToSwitch(str(gone)) from gone
        return [platform.main]

    def expire_sessions(self) -> list[str]:
        """End every session that a cloud's token service has given out."""
        ended = list(self._sessions())
        for _, end in ended:
            end()
        return [cloud for cloud, _ in ended]

    def _sessions(self) -> Iterator[tuple[str, Callable[[], object]]]:
        stage = self._stage
        if stage.has("eks"):
            yield "aws", stage.eks.aws.expire_sessions
        if stage.has("gke"):
            yield "google", stage.gke.google.expire_tokens
        if stage.has("aks"):
            yield "azure", stage.aks.azure.expire_sessions
        if stage.has("nebius"):
            yield "nebius", stage.nebius.nebius.expire_tokens

    def admin_policies(self, fields: Fields) -> list[str]:
        """Let the AWS administrator do only what `policies` say."""
        self._stage.eks.aws.set_admin_policies(list(fields["policies"]))
        return ["aws"]

    def admin_permissions(self, fields: Fields) -> list[str]:
        """Let the Google administrator do only what `permissions` say; null gives all back."""
        self._stage.gke.google.set_admin_permissions(fields["permissions"])
        return ["google"]

    def admin_roles(self, fields: Fields) -> list[str]:
        """Let the Azure administrator hold only `roles`; null gives all back."""
        roles = fields["roles"]
        self._stage.aks.azure.set_admin_roles(ADMIN_ROLES if roles is None else roles)
        return ["azure"]

    def bucket_being_deleted(self, fields: Fields) -> list[str]:
        """Refuse the next `attempts` to create the bucket `name`."""
        name = str(fields["name"])
        self._stage.eks.aws.name_being_deleted(name, int(fields["attempts"]))
        return [name]

    def _registered_buckets(self, scheme: str) -> list[str]:
        """The names of the buckets with a scheme that the control plane knows."""
        urls = [
            urlsplit(resource.content["object_storage"]["bucket_name"])
            for cloud in self._stage.plane.registry.clouds()
            for resource in cloud.resources
        ]
        return [url.netloc for url in urls if url.scheme == scheme]

    def _delete_registration(self, wanted: str | None) -> list[str]:
        """The clouds are deleted in the console."""
        registry = self._stage.plane.registry
        clouds = [
            cloud
            for cloud in registry.clouds()
            # One that is on its way out may be gone at any moment.
            if cloud.gone_at is None and wanted in (None, cloud.name)
        ]
        for cloud in clouds:
            registry.set_state(cloud.id, "DELETING")
            registry.delete(cloud.id, force=True)
        return [cloud.id for cloud in clouds]

    def _expire_token(self, _: str | None) -> list[str]:
        self._stage.plane.accounts.expire(self._stage.token)
        return [self._stage.plane.seed.email]

    def _revoke_operator_keys(self, wanted: str | None) -> list[str]:
        """Somebody revokes the keys of the service accounts, or of one, in the console."""
        accounts = self._stage.plane.accounts
        keys = self._operator_keys(wanted)
        for key in keys:
            accounts.revoke(key.id)
        return [key.id for key in keys]

    def _age_operator_keys(self, wanted: str | None) -> list[str]:
        """Let the same keys be so old that they end within the week."""
        keys = self._operator_keys(wanted)
        for key in keys:
            key.expires_at = self._stage.plane.clock() + timedelta(days=6)
        return [key.id for key in keys]

    def _operator_keys(self, wanted: str | None) -> list[Key]:
        accounts = self._stage.plane.accounts
        people = [one for one in accounts.service_accounts() if wanted in (None, one.name)]
        return [key for one in people for key in accounts.live_keys(one.id)]

    def _renew_token(self, _: str | None) -> list[str]:
        self._stage.plane.accounts.renew(self._stage.token)
        return [self._stage.plane.seed.email]


def _nothing(
    switches: Mapping[str, Mapping[str, Break]], verb: str, name: str, platform: str | None
) -> NothingToSwitch:
    if platform is None:
        known = sorted({name for named in switches.values() for name in named})
        return NothingToSwitch(f"there is no {name!r} to {verb}; there are: {', '.join(known)}")
    if platform not in switches:
        return NothingToSwitch(
            f"there is no platform {platform!r}; there are: {', '.join(sorted(switches))}"
        )
    known = sorted(switches[platform])
    places = sorted(place for place, named in switches.items() if name in named)
    elsewhere = f" (but on {', '.join(places)})" if places else ""
    return NothingToSwitch(
        f"there is no {name!r} to {verb} on {platform}{elsewhere}; there are: {', '.join(known)}"
    )


def _mends(breaks: Any) -> bool:
    return hasattr(breaks, "mended")


def _switched(
    switches: Mapping[str, Mapping[str, Break]], verb: str, name: str, fields: Fields
) -> list[str]:
    wanted = fields.get("platform")
    found = [
        named[name]
        for platform, named in switches.items()
        if name in named and wanted in (None, platform)
    ]
    if not found:
        raise _nothing(switches, verb, name, wanted)
    try:
        done = [what for switch in found for what in switch(fields.get("name"))]
    except LookupError as gone:
        raise NothingToSwitch(str(gone)) from gone
    if not done:
        raise NothingToSwitch(f"there is no {name} to {verb} now")
    return done
