"""What the group may do: a policy for one bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.oke import tags
from anyscale_k8s_cli.providers.oke.named import NamedResource, known_id
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.identity import Named
from anyscale_k8s_cli.resource import FieldChange, Observed, Resource
from anyscale_k8s_cli.templates import load_yaml


class PlacedBucket(Protocol):
    """A bucket with the compartment that it is in."""

    name: str

    @property
    def compartment(self) -> str: ...


def rights() -> list[str]:
    """What the statements grant, for people."""
    return list(
        load_yaml("oke/bucket-policy.yaml", {"group": "", "compartment": "", "bucket": ""})[
            "rights"
        ]
    )


def statements(group: str, compartment: str, bucket: str) -> list[str]:
    """What the group may, in Oracle's words."""
    values = {"group": group, "compartment": compartment, "bucket": bucket}
    return list(load_yaml("oke/bucket-policy.yaml", values)["statements"])


def document(name: str, found: Sequence[str]) -> PolicyDocument:
    """For people, as Oracle has it."""
    return PolicyDocument(f"policy {name}", "OCI policy statements", "\n".join(found))


class BucketPolicy(NamedResource):
    """Ours: all that is done with objects, and that the bucket may be asked for itself."""

    kind: ClassVar[str] = "oci-policy"

    def __init__(
        self,
        oracle: Oracle,
        install: Install,
        name: str,
        wanted_tags: tags.Tags,
        group: Resource[str],
        bucket: PlacedBucket,
        storage: Resource[Storage],
    ) -> None:
        super().__init__(oracle, install, name, wanted_tags, needs=(group, storage))
        self._group = group
        self._bucket = bucket

    def statements(self) -> list[str]:
        """Raises `NotYetKnown` while there is no group."""
        bucket = self._bucket
        return statements(known_id(self._group), bucket.compartment, bucket.name)

    def grants(self, observed: Observed[str]) -> Sequence[PolicyDocument]:
        found: Named = observed.state
        return (document(self.name, found.statements),)

    def _find(self) -> Named | None:
        return self._oracle.identity.policy(self._bucket.compartment, self.name)

    def _make(self) -> None:
        self._oracle.identity.create_policy(
            self._bucket.compartment, self.name, self._text, self.statements(), self._tags.wanted
        )

    def _write_tags(self, found: Named, wanted: Mapping[str, str]) -> None:
        self._oracle.identity.update_policy(found.id, self.statements(), wanted)

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        found: Named = observed.state
        wanted = self.statements()
        missing = [item for item in wanted if item not in found.statements]
        strange = [item for item in found.statements if item not in wanted]
        return [
            *super().diff(observed),
            *(FieldChange("statement", "absent", item) for item in missing),
            *(FieldChange("statement", item, "absent") for item in strange),
        ]

    def delete(self, observed: Observed[str]) -> None:
        self._oracle.identity.delete_policy(observed.id)
