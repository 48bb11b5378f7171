"""The user's identity at a cloud, as what the pods are given instead of keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from anyscale_k8s_cli.credential_kinds import Credentials
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import Observed, Resource
from anyscale_k8s_cli.storage_keys import AdoptedKeys

K = TypeVar("K", bound=Credentials)


class FederatedIdentity(AdoptedKeys[K]):
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
        )
        self.credentials = type(access)
        self._access = access

    @property
    def output(self) -> K:
        return self._access

    def read(self) -> Observed[K] | None:
        return Observed(id=self._access.id, output=self._access)
