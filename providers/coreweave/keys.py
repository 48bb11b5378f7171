"""Access keys of the operator: made with an end, and revoked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.install import Install, has_labels_of
from anyscale_k8s_cli.providers.coreweave import tags
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.storage_keys import IssuedKey

# Long enough for nobody to be surprised, short enough for a forgotten one to end: setup
# replaces it in its last month.
LIFETIME = timedelta(days=365)


def key(install: Install) -> str:
    return f"coreweave:access-key/{tags.key_name(install)}"


class CoreWeaveKeys:
    """How an install's keys are made and ended. They carry its locator as attributes."""

    def __init__(
        self, coreweave: CoreWeave, install: Install, bucket: str, users: Mapping[str, str]
    ) -> None:
        self._coreweave = coreweave
        self._install = install
        self._bucket = bucket
        self._users = users

    def keys(self) -> Sequence[IssuedKey]:
        return [
            IssuedKey(item.id, item.active, item.ends, self._install)
            for item in self._coreweave.storage.access_keys()
            if has_labels_of(item.attributes, self._install)
        ]

    def issue(self) -> S3Keys:
        """One that ends a year from now. If its answer is lost, the next run finds it by its
        attributes and revokes it: nobody has its secret."""
        made = self._coreweave.storage.create_key(
            LIFETIME, tags.attributes(self._install, self._users)
        )
        return S3Keys(made.id, made.secret)

    def revoke(self, access_key: str) -> None:
        self._coreweave.storage.revoke_key(access_key)

    def wait_usable(self, keys: S3Keys) -> None:
        """Once the bucket, which need not be there yet, may be asked for with it."""
        s3 = self._coreweave.s3(self._install.region, lambda: keys)
        self._coreweave.wait_taken(s3, self._bucket)
