"""The organisation's access policy for one bucket: without any, no key opens anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.install import MARK_PREFIX, Install
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.sdk.storage import Policy, Statement
from anyscale_k8s_cli.resource import FieldChange, Observed, Resource

NAME_LIMIT = 63
ACTIONS = ("s3:*",)


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


def statement_name(install: Install) -> str:
    """What says whose a policy is: policies carry no labels."""
    return f"{MARK_PREFIX}-{install.id}"


class BucketPolicy(Resource[None]):
    """Ours, known by its statement's name. Policies of others are left alone.

    Keys are of whoever made them, and policies know principals, not keys. So everybody who
    sets up this cloud is in it, and whoever was stays: the key in use may be theirs.
    """

    kind: ClassVar[str] = "coreweave-access-policy"

    def __init__(self, coreweave: CoreWeave, install: Install, name: str, bucket: str) -> None:
        super().__init__(
            key=f"coreweave:access-policy/{name}",
            title=f"organisation access policy {name} for the bucket {bucket}",
            install=install,
        )
        self._coreweave = coreweave
        self._bucket = bucket
        self.name = name

    def read(self) -> Observed[None] | None:
        found = next(
            (item for item in self._coreweave.storage.policies() if item.name == self.name), None
        )
        if found is None:
            return None
        names = {item.name for item in found.statements}
        ours = names == {statement_name(self.install)}
        return Observed(
            id=found.name, output=None, owner=self.install if ours else None, state=found
        )

    def diff(self, observed: Observed[None]) -> Sequence[FieldChange]:
        found: Policy = observed.state
        (wanted,) = self._wanted(found).statements
        current = found.statements[0]
        fields = ("effect", "actions", "resources", "principals")
        return [
            FieldChange(name, _shown(getattr(current, name)), _shown(getattr(wanted, name)))
            for name in fields
            if _shown(getattr(current, name)) != _shown(getattr(wanted, name))
        ]

    def create(self) -> Observed[None]:
        observed = self.read()
        if observed is not None and observed.owner is None:
            # Writing would replace it.
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The name {self.name} of an organisation access policy is taken",
                cause="the policy of that name is not ours",
                fix="set rules.names.policy to another name",
            )
        return self._write(observed.state if observed is not None else None)

    def update(self, observed: Observed[None], changes: Sequence[FieldChange]) -> Observed[None]:
        return self._write(observed.state) if changes else observed

    def delete(self, observed: Observed[None]) -> None:
        self._coreweave.storage.delete_policy(observed.id)

    def ready(self, observed: Observed[None]) -> Observed[None]:
        """A key that it lets in proves it by use."""
        return observed

    def _write(self, found: Policy | None) -> Observed[None]:
        wanted = self._wanted(found)
        self._coreweave.storage.ensure_policy(wanted)
        return Observed(id=wanted.name, output=None, owner=self.install, state=wanted)

    def _wanted(self, found: Policy | None) -> Policy:
        statement = Statement(
            statement_name(self.install),
            ACTIONS,
            (self._bucket, f"{self._bucket}/*"),
            (self._coreweave.principal,),
        )
        if found is not None and found.statements:
            admitted = {*found.statements[0].principals, *statement.principals}
            statement = replace(statement, principals=tuple(sorted(admitted - {"*"})))
        return Policy(self.name, (statement,))


def _shown(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ", ".join(sorted(value))
