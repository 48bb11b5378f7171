"""The service account whose keys the operator has: one that we make, or one that the user has.

It is known to the object store alone; to Anyscale the operator shows a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.nebius import tags
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.providers.nebius.sdk.failures import EXISTS
from anyscale_k8s_cli.providers.nebius.sdk.iam import Named
from anyscale_k8s_cli.resource import (
    OR_IDENTITY,
    AdoptedResource,
    FieldChange,
    NotYetKnown,
    Observed,
    Resource,
)

NAME_LIMIT = 63


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


def key(name: str) -> str:
    return f"nebius:service-account/{name}"


def title(name: str) -> str:
    return f"service account {name}"


class OperatorAccount(Resource[str]):
    """Ours, found by name and locator. Output: its id."""

    kind: ClassVar[str] = "nebius-service-account"
    way_around: ClassVar[str] = OR_IDENTITY

    def __init__(self, nebius: Nebius, install: Install, name: str, labels: tags.Labels) -> None:
        super().__init__(key=key(name), title=title(name), install=install)
        self._nebius = nebius
        self._labels = labels
        self.name = name

    def read(self) -> Observed[str] | None:
        found = self._nebius.iam.account(self.name)
        if found is None:
            return None
        owner = tags.owner(found.labels, self.install)
        return Observed(id=found.id, output=found.id, owner=owner, state=found)

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        found: Named = observed.state
        return self._labels.differ(found.labels)

    def create(self) -> Observed[str]:
        text = f"Anyscale operator of cloud {self.install.cloud}: keys of the object store"
        try:
            self._nebius.iam.create_account(self.name, text, self._labels.wanted)
        except CloudFailure as failure:
            if failure.api_code != EXISTS:
                raise
        observed = self._there()
        if observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The service account name {self.name} is taken",
                cause=f"{observed.id} is not ours",
                fix="set rules.names.service-account to another name, or adopt the account "
                f"with --identity {observed.id}",
            )
        return observed

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        if not changes:
            return observed
        found: Named = observed.state
        self._nebius.iam.label_account(found, self._labels.on(found.labels))
        return self._there()

    def delete(self, observed: Observed[str]) -> None:
        self._nebius.iam.delete_account(observed.id)

    def ready(self, observed: Observed[str]) -> Observed[str]:
        return observed

    def _there(self) -> Observed[str]:
        observed = self.read()
        if observed is None:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The service account {self.name} went away while it was changed",
                fix="run the same command again: it makes the account anew",
            )
        return observed


class AdoptedAccount(AdoptedResource[str]):
    """The user's own, of the project, by its id."""

    kind: ClassVar[str] = "nebius-service-account"

    def __init__(self, nebius: Nebius, install: Install, account_id: str) -> None:
        super().__init__(key=key(account_id), title=title(account_id), install=install)
        self._nebius = nebius
        self._id = account_id

    @property
    def output(self) -> str:
        return self._id

    def read(self) -> Observed[str] | None:
        if not self._nebius.iam.has_account(self._id):
            return None
        return Observed(id=self._id, output=self._id)


def known_id(account: Resource[str]) -> str:
    """The account's id, looked up where a plan has not read it yet.

    Raises `NotYetKnown` while there is no such account.
    """
    try:
        return account.output
    except NotYetKnown:
        found = account.read()
        if found is None:
            raise
        return found.output
