"""The control plane's record of a cloud, and our resource in it, as resources of the graph.

The record has no labels, its name need not be unique, and it can hold other
clusters. It is ours when it was made with this install's placeholder
credentials or holds our resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.clouds import Clouds, placeholder_credentials
from anyscale_k8s_cli.controlplane.models import (
    Cloud,
    CloudResource,
    DecoratedCloudResource,
    NewCloud,
)
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import (
    Claim,
    FieldChange,
    Observed,
    Resource,
    SharedResource,
    Unfit,
    Users,
)


@dataclass(frozen=True)
class CloudRecord:
    """`cloud_id` is `cld_…`."""

    cloud_id: str


@dataclass(frozen=True)
class Registration:
    """`cloud_resource_id` is `cldrsrc_…`: the id the operator is bound to."""

    cloud_id: str
    cloud_resource_id: str


@dataclass(frozen=True)
class Found:
    """A cloud with what is in it."""

    cloud: Cloud
    resources: tuple[DecoratedCloudResource, ...]

    def holds(self, install: Install) -> bool:
        return registered_for(install, self.resources) is not None

    def made_by(self, install: Install, provider: str) -> bool:
        placeholder = placeholder_credentials(provider, install.id)
        return bool(placeholder) and self.cloud.credentials == placeholder

    def begun_by(self, install: Install, provider: str) -> bool:
        """Whether this install made it, before or since its cluster was known."""
        return any(self.made_by(one, provider) for one in (install, install.unplaced))

    def made_for(self, install: Install, provider: str) -> bool:
        """Whether it would not be there without this install.

        Where a platform has no placeholders to sign with, it is told by whose
        resource is the first: that one the control plane removes with its cloud alone.
        """
        if placeholder_credentials(provider, install.id):
            return self.begun_by(install, provider)
        ours = registered_for(install, self.resources)
        return all(item is ours for item in self.resources if item.is_default)

    def unsigned(self, provider: str) -> bool:
        """Whether nothing tells who made it: empty, on a platform without placeholders."""
        return not self.resources and not placeholder_credentials(provider, "")


def registered_for(
    install: Install, resources: Sequence[DecoratedCloudResource]
) -> DecoratedCloudResource | None:
    """The registration of an install among those of a cloud."""
    by_name = {item.name: item for item in resources}
    return next((by_name[name] for name in install.registration_names if name in by_name), None)


class RegisteredCloud(SharedResource[CloudRecord]):
    """The record `cld_…`. `cloud_id` picks one of several with the same name.

    With `only_ours` a cloud of the name that somebody else has signed is not seen.
    """

    kind: ClassVar[str] = "anyscale:cloud"
    goes_first: ClassVar[bool] = True

    def __init__(
        self,
        clouds: Clouds,
        install: Install,
        *,
        provider: str,
        cloud_id: str | None = None,
        claim: Claim = Claim.OWN,
        force: bool = False,
        only_ours: bool = False,
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{install.cloud}",
            title=f"Anyscale cloud {install.cloud}",
            install=install,
            claim=claim,
        )
        self.clouds = clouds
        self.provider = provider
        self._cloud_id = cloud_id
        self._force = force
        self._only_ours = only_ours

    def read(self) -> Observed[CloudRecord] | None:
        found = self._candidates()
        ours = [item for item in found if item.holds(self.install)] or [
            item for item in found if item.begun_by(self.install, self.provider)
        ]
        others = [item for item in found if item.unsigned(self.provider) or not self._only_ours]
        picked = ours or others
        if not picked:
            return None
        if len(picked) > 1:
            raise _ambiguous(self.install.cloud, picked)
        return self._observed(picked[0], bool(ours))

    def has(self, install: Install) -> bool:
        """Whether the record that was read has the registration of this install."""
        return self.observed is not None and self.observed.state.holds(install)

    def _candidates(self) -> list[Found]:
        if self._cloud_id:
            cloud = self.clouds.get_cloud(self._cloud_id)
            clouds = [cloud] if cloud else []
        else:
            clouds = self.clouds.find_clouds(self.install.cloud)
        return [Found(cloud, tuple(self.clouds.list_resources(cloud.id))) for cloud in clouds]

    def _observed(self, found: Found, ours: bool) -> Observed[CloudRecord]:
        fix = (
            "add --add-to-cloud to the same command (registers this cluster in it beside "
            f"{', '.join(item.name for item in found.resources) or 'nothing yet'}), "
            "or --name NAME with another name"
        )
        return Observed(
            id=found.cloud.id,
            output=CloudRecord(found.cloud.id),
            owner=self.install if ours else None,
            unmarked=found.unsigned(self.provider),
            unfit=() if ours or self.claim is Claim.ADOPT else (Unfit("not ours", fix),),
            state=found,
        )

    def diff(self, observed: Observed[CloudRecord]) -> Sequence[FieldChange]:
        found: Found = observed.state
        if found.cloud.deleting:
            raise errors.CliError(
                errors.CLOUD_DELETING,
                f"The cloud {self.install.cloud} is being deleted",
                cause=f"{found.cloud.id} is in state {found.cloud.state}",
                fix=f"anyscale cloud delete {self.install.cloud}\nthen set it up again",
            )
        return ()

    def create(self) -> Observed[CloudRecord]:
        found = self.read()
        if found is not None and found.owner is not None:
            return found  # another run of ours was faster: a second of the name would be made
        cloud = self.clouds.create_cloud(
            NewCloud(
                name=self.install.cloud,
                provider=self.provider,
                region=self.install.region,
                credentials=placeholder_credentials(self.provider, self.install.id),
            )
        )
        return self._observed(Found(cloud, ()), ours=True)

    def update(
        self, observed: Observed[CloudRecord], changes: Sequence[FieldChange]
    ) -> Observed[CloudRecord]:
        """Nothing of a record can be changed: `diff` never finds anything."""
        raise AssertionError(f"no field of {self.key} can be updated: {changes}")

    def delete(self, observed: Observed[CloudRecord]) -> None:
        """Remove the record while the operator still runs, so that it can clear what it made."""
        if self.clouds.get_cloud(observed.id) is None:
            return
        self.clouds.start_deletion(observed.id)
        self.clouds.delete_cloud(observed.id, force=self._force)

    def others(self, observed: Observed[CloudRecord]) -> Users:
        """Other resources in it, or that somebody else made it."""
        found: Found = observed.state
        ours = registered_for(self.install, found.resources)
        names = [item.name for item in found.resources if item is not ours]
        look = f"anyscale cloud get --cloud-id {observed.id} --output yaml"
        if names:
            return Users(tuple(f"registration {name}" for name in names), look)
        if found.made_for(self.install, self.provider):
            return Users()
        return Users(("whoever made it, which was not this tool",), look)

    def unmark(self, observed: Observed[CloudRecord]) -> None:
        """A record carries no marks: our resource in it is the mark."""

    def ready(self, observed: Observed[CloudRecord]) -> Observed[CloudRecord]:
        """A cloud on Kubernetes is of use at once; adding to it retries by itself."""
        return observed


Payload = Callable[[], Mapping[str, Any]]
# What a person brings, where it is no part of every registration.
_SAID = (
    ("kubernetes_config", "redis_endpoint"),
    ("file_storage", "persistent_volume_claim"),
    ("file_storage", "csi_ephemeral_volume_driver"),
    ("file_storage", "mount_targets"),
    ("file_storage", "mount_path"),
)


class RegisteredResource(Resource[Registration]):
    """Our resource in the record. `payload` is asked for late: it needs bucket and identity.

    With `whole` what a person may have and no longer says is taken out of it; else it is
    left as whoever set it there has it.
    """

    kind: ClassVar[str] = "anyscale:cloud-resource"
    goes_first: ClassVar[bool] = True

    def __init__(
        self,
        cloud: RegisteredCloud,
        install: Install,
        payload: Payload,
        needs: Sequence[Resource[Any]] = (),
        *,
        whole: bool = False,
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{install.resource_name}",
            title=f"registration {install.resource_name}",
            install=install,
            needs=(cloud, *needs),
        )
        self._cloud = cloud
        self._clouds = cloud.clouds
        self._payload = payload
        self._whole = whole

    def read(self) -> Observed[Registration] | None:
        if self._cloud.observed is None:
            return None
        record: Found = self._cloud.observed.state
        found = registered_for(self.install, record.resources)
        return None if found is None else self._observed(found)

    def _observed(self, item: DecoratedCloudResource) -> Observed[Registration]:
        return Observed(
            id=item.cloud_resource_id,
            output=Registration(self._cloud.output.cloud_id, item.cloud_resource_id),
            owner=self.install,
            state=item,
        )

    @property
    def name(self) -> str:
        """What it is called in the record, or will be."""
        if self.observed is None:
            return self.install.resource_name
        return str(self.observed.state.name)

    def _desired(self) -> CloudResource:
        return CloudResource.model_validate(
            {
                "name": self.name,
                "provider": self._cloud.provider,
                "region": self.install.region,
                **self._payload(),
            }
        )

    def diff(self, observed: Observed[Registration]) -> Sequence[FieldChange]:
        """What we send and the record has otherwise; what others set beside it is left alone."""
        wanted = self._desired().payload()
        found = observed.state.model_dump(mode="json", exclude_none=True)
        return [*differences(wanted, found), *self._dropped(wanted, found)]

    def _dropped(
        self, wanted: Mapping[str, Any], found: Mapping[str, Any]
    ) -> Iterator[FieldChange]:
        """What a person may say and has not said again."""
        if not self._whole:
            return
        for member, name in _SAID:
            there = (found.get(member) or {}).get(name)
            if there and not (wanted.get(member) or {}).get(name):
                yield FieldChange(f"{member}.{name}", there, None)

    def create(self) -> Observed[Registration]:
        return self._observed(
            self._clouds.add_resource(self._cloud.output.cloud_id, self._desired())
        )

    def update(
        self, observed: Observed[Registration], changes: Sequence[FieldChange]
    ) -> Observed[Registration]:
        cloud_id = self._cloud.output.cloud_id
        wanted = self._desired()
        fields = wanted.model_fields_set | {change.field.partition(".")[0] for change in changes}
        resources = [
            item.model_copy(update={name: getattr(wanted, name) for name in fields})
            if item.name == wanted.name
            else item
            for item in self._clouds.list_resources(cloud_id)
        ]
        self._clouds.update_resources(cloud_id, resources)
        renewed = self._clouds.find_resource(cloud_id, wanted.name)
        if renewed is None:
            raise errors.CliError(
                errors.CONTROL_PLANE_FAILED,
                f"The registration {wanted.name} is gone after its update",
                fix="run the same command again",
            )
        return self._observed(renewed)

    def delete(self, observed: Observed[Registration]) -> None:
        """Remove the registration; with it the record, when it was the last and is ours."""
        record = self._cloud.read()
        if record is None:
            return
        if self._cloud.claim is Claim.OWN and not self._cloud.others(record):
            self._cloud.delete(record)
            return
        try:
            self._clouds.remove_resource(observed.output.cloud_id, observed.state.name)
        except errors.CliError as refusal:
            if refusal.code is not errors.DELETION_REFUSED or not observed.state.is_default:
                raise
            raise replace(refusal, fix=self._of_primary(record.state)) from refusal

    def refusal(self, observed: Observed[Registration]) -> errors.CliError | None:
        """Why the control plane would not remove it: it is a cloud's first, and others are there.

        None where nothing is known to be in the way.
        """
        record = self._cloud.observed
        others = [
            item.name
            for item in (record.state.resources if record else ())
            if item.name != observed.state.name
        ]
        if record is None or not others or not observed.state.is_default:
            return None
        return errors.CliError(
            errors.DELETION_REFUSED,
            f"The registration {observed.state.name} cannot be removed alone",
            cause=f"it is the first of the cloud {self.install.cloud}, which others are in, too: "
            + ", ".join(others),
            fix=self._of_primary(record.state),
        )

    def _of_primary(self, found: Found) -> str:
        """What leads on where a cloud keeps its first resource for as long as it is there."""
        if found.made_for(self.install, self._cloud.provider):
            return (
                "the first cluster of a cloud goes with the cloud: delete its other clusters "
                "first, then run the same command again"
            )
        return (
            f"the first cluster of a cloud goes with the cloud, and {found.cloud.name} was made by "
            "somebody else: let them delete it in the console, then run the same command again; "
            "it removes the rest"
        )

    def ready(self, observed: Observed[Registration]) -> Observed[Registration]:
        """The operator's own report tells whether it is of use."""
        return observed


def differences(wanted: Mapping[str, Any], found: Any, path: str = "") -> list[FieldChange]:
    """What is wanted and found otherwise, by dotted path; what else is found is left alone."""
    changes: list[FieldChange] = []
    for name, value in wanted.items():
        seen = found.get(name) if isinstance(found, Mapping) else None
        place = f"{path}{name}"
        if isinstance(value, Mapping):
            changes += differences(value, seen or {}, f"{place}.")
        elif isinstance(value, (list, tuple)) and isinstance(seen, (list, tuple)):
            if sorted(map(str, value)) != sorted(map(str, seen)):
                changes.append(FieldChange(place, list(seen), list(value)))
        elif value != seen:
            changes.append(FieldChange(place, seen, value))
    return changes


def _ambiguous(name: str, found: Sequence[Found]) -> errors.CliError:
    return errors.CliError(
        errors.CLOUD_AMBIGUOUS,
        f"There are {len(found)} clouds named {name}",
        cause="names need not be unique, and none of them holds this cluster",
        evidence=tuple(f"{item.cloud.id} in {item.cloud.region}" for item in found),
        fix="say which with --cloud-id",
    )
