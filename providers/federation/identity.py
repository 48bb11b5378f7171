"""The user's identity at a cloud, as what the pods are given instead of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import Credentials
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Claim, FieldChange, Observed, Resource
from anyscale_k8s_cli.storage_keys import KeysResource

K = TypeVar("K", bound=Credentials)


class FederatedIdentity(KeysResource[K]):
    """Known from what was said, never asked about, never written, never deleted.

    Whether it admits the operator is proven by use, with a token of its service account.
    """

    kind: ClassVar[str] = "federated-identity"

    def __init__(
        self, install: Install, access: K, title: str, needs: Sequence[Resource[Any]] = ()
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{access.id}",
            title=title,
            install=install,
            needs=needs,
            claim=Claim.ADOPT,
        )
        self.credentials = type(access)
        self._access = access

    @property
    def output(self) -> K:
        return self._access

    def read(self) -> Observed[K] | None:
        return Observed(id=self._access.id, output=self._access)

    def diff(self, observed: Observed[K]) -> Sequence[FieldChange]:
        return ()

    def create(self) -> Observed[K]:
        raise self._never_written()

    def update(self, observed: Observed[K], changes: Sequence[FieldChange]) -> Observed[K]:
        raise self._never_written()

    def delete(self, observed: Observed[K]) -> None:
        raise self._never_written()

    def ready(self, observed: Observed[K]) -> Observed[K]:
        return observed

    def _never_written(self) -> errors.CliError:
        return errors.CliError(errors.FOREIGN_OBJECT, f"{self.title} is never changed by this tool")
