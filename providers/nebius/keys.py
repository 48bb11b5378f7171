"""Access keys of the operator's account: made with an end, and revoked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.install import Install, has_labels_of
from anyscale_k8s_cli.providers.nebius.identity import known_id
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.providers.nebius.sdk.iam import Owner
from anyscale_k8s_cli.providers.objectstore.probe import use
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.storage_keys import IssuedKey

# Long enough for nobody to be surprised, short enough for a forgotten one to end: setup
# replaces it in its last month. Nebius' own examples take a week, and nothing renews it.
LIFETIME = timedelta(days=365)
NAME_LIMIT = 63


def key(install: Install) -> str:
    return f"nebius:access-key/{install.name(limit=NAME_LIMIT)}"


class NebiusKeys:
    """How an install's keys are made and ended. They carry its labels.

    An account of the user's own may have keys of the user's beside them.
    """

    def __init__(
        self,
        nebius: Nebius,
        install: Install,
        account: Resource[str],
        bucket: str,
        labels: Mapping[str, str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._nebius = nebius
        self._install = install
        self._account = account
        self._bucket_name = bucket
        self._labels = labels
        self._now = now

    def keys(self) -> Sequence[IssuedKey]:
        return [
            IssuedKey(item.access_key, item.active, item.ends, self._install)
            for item in self._nebius.iam.keys(known_id(self._account))
            if has_labels_of(item.labels, self._install)
        ]

    def issue(self) -> S3Keys:
        """One that ends a year from now. Names must differ, so the day is in it."""
        now = self._now()
        made = self._nebius.iam.create_key(
            Owner(known_id(self._account)),
            self._install.name(limit=NAME_LIMIT, suffix=f"-{now:%y%m%d%H%M%S}"),
            f"Anyscale operator of cloud {self._install.cloud}",
            now + LIFETIME,
            self._labels,
        )
        return S3Keys(made.access_key, made.secret)

    def revoke(self, access_key: str) -> None:
        for item in self._nebius.iam.keys(known_id(self._account)):
            if item.access_key == access_key:
                self._nebius.iam.delete_key(item.id)

    def wait_usable(self, keys: S3Keys) -> None:
        """Proven by use: objects put, read, listed and deleted as the pods will."""
        use(self._nebius.s3(self._install.region, keys), self._bucket_name)
