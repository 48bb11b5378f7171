"""The bucket where no key of its cloud is known any more: seen with keys of our own.

Otherwise it is `providers/objectstore`'s, with the keys of the cloud.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.objectstore import bucket as buckets
from anyscale_k8s_cli.resource import DataResource, FieldChange, Observed, Resource


class LeftBucket(DataResource[Storage]):
    """Ours, in a teardown. Each verb makes itself a key for some seconds and revokes it."""

    kind: ClassVar[str] = buckets.KIND
    deleted_later: ClassVar[bool] = False

    def __init__(
        self,
        coreweave: CoreWeave,
        install: Install,
        name: str,
        needs: Sequence[Resource[None]] = (),
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{name}",
            title=f"bucket {name} in {coreweave.store(install.region).title}",
            install=install,
            needs=needs,
        )
        self._coreweave = coreweave
        self.name = name

    def read(self) -> Observed[Storage] | None:
        with self._seen() as bucket:
            return bucket.read()

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        return ()

    def create(self) -> Observed[Storage]:
        raise self._only_removed()

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        raise self._only_removed()

    def delete(self, observed: Observed[Storage]) -> None:
        with self._seen() as bucket:
            bucket.delete(observed)

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        with self._seen() as bucket:
            return bucket.contents(observed)

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        with self._seen() as bucket:
            bucket.forget_cluster(observed)

    @contextmanager
    def _seen(self) -> Iterator[buckets.Bucket]:
        with self._coreweave.own_keys() as own:
            s3 = self._coreweave.s3(self.install.region, lambda: own)
            self._coreweave.wait_taken(s3, self.name)
            yield buckets.Bucket(s3, self.install, self.name)

    def _only_removed(self) -> errors.CliError:
        return errors.CliError(errors.FOREIGN_OBJECT, f"{self.title} is only to be removed")
