"""What users, groups and policies have in common: found by name, ours by their tags."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.oke import tags
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk import failures
from anyscale_k8s_cli.providers.oke.sdk.identity import Named
from anyscale_k8s_cli.resource import FieldChange, NotYetKnown, Observed, Resource

# Names of identity have room for a hundred characters.
NAME_LIMIT = 100


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


class NamedResource(Resource[str]):
    """One of identity's, by its name. Output: its id."""

    def __init__(
        self,
        oracle: Oracle,
        install: Install,
        name: str,
        wanted_tags: tags.Tags,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=f"{self.kind.replace('oci-', 'oci:')}/{name}",
            title=f"{self.kind.removeprefix('oci-')} {name}",
            install=install,
            needs=needs,
        )
        self._oracle = oracle
        self._tags = wanted_tags
        self.name = name

    @abstractmethod
    def _find(self) -> Named | None: ...

    @abstractmethod
    def _make(self) -> None: ...

    @abstractmethod
    def _write_tags(self, found: Named, wanted: Mapping[str, str]) -> None: ...

    @property
    def _text(self) -> str:
        """The description, which Oracle demands."""
        return f"Anyscale operator of cloud {self.install.cloud}"

    def read(self) -> Observed[str] | None:
        found = self._find()
        if found is None:
            return None
        owner = tags.owner(found.tags, self.install)
        return Observed(id=found.id, output=found.id, owner=owner, state=found)

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        found: Named = observed.state
        return self._tags.differ(found.tags)

    def create(self) -> Observed[str]:
        try:
            self._make()
        except CloudFailure as failure:
            if not failures.exists(failure):
                raise
        observed = self._there()
        if observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The name of the {self.title} is taken",
                cause=f"{observed.id} is not ours",
                fix=f"set rules.names.{self.kind.removeprefix('oci-')} to another name",
            )
        return self.update(observed, self.diff(observed))

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        if not changes:
            return observed
        found: Named = observed.state
        self._write_tags(found, self._tags.on(found.tags))
        return self._there()

    def ready(self, observed: Observed[str]) -> Observed[str]:
        """A key proves all of it by use."""
        return observed

    def _there(self) -> Observed[str]:
        observed = self.read()
        if observed is None:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The {self.title} went away while it was changed",
                fix="run the same command again: it is made anew",
            )
        return observed


def known_id(resource: Resource[str]) -> str:
    """Its id, looked up where a plan has not read it yet.

    Raises `NotYetKnown` while there is no such thing.
    """
    try:
        return resource.output
    except NotYetKnown:
        found = resource.read()
        if found is None:
            raise
        return found.output
