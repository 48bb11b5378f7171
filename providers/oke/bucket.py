"""The bucket: one that we make by Oracle's own API, or one that the user has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.object_storage import summary
from anyscale_k8s_cli.providers.objectstore.bucket import tell_without_cors
from anyscale_k8s_cli.providers.oke import tags
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk import failures
from anyscale_k8s_cli.providers.oke.sdk.storage import PRIVATE, UNVERSIONED, BucketState
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    DataResource,
    FieldChange,
    Observed,
)

# Names that S3 clients take as well.
NAME_LIMIT = 63
SETTLE_SECONDS = 60.0


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


class Bucket(DataResource[Storage]):
    """Ours, found by name and tags. Setup never deletes it, and delete only when told to."""

    kind: ClassVar[str] = "oci-bucket"

    def __init__(self, oracle: Oracle, install: Install, name: str, wanted_tags: tags.Tags) -> None:
        super().__init__(
            key=f"oci:bucket/{name}", title=f"Object Storage bucket {name}", install=install
        )
        self._oracle = oracle
        self._tags = wanted_tags
        self.name = name

    @property
    def compartment(self) -> str:
        return self.install.account

    @property
    def output(self) -> Storage:
        """It follows from the name, so it is known before the bucket is there."""
        return _storage(self._oracle, self.name)

    def read(self) -> Observed[Storage] | None:
        state = self._oracle.buckets.state(self.name)
        if state is None:
            self._oracle.buckets.check_seen(self.install.account)
            return None
        owner = tags.owner(state.tags, self.install)
        return Observed(id=f"s3://{self.name}", output=self.output, owner=owner, state=state)

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        state: BucketState = observed.state
        changes = self._tags.differ(state.tags)
        if state.public_access != PRIVATE:
            changes.append(FieldChange("public access", state.public_access, PRIVATE))
        return changes

    def create(self) -> Observed[Storage]:
        try:
            self._oracle.buckets.create(self.name, self.install.account, self._tags.wanted)
        except CloudFailure as failure:
            if not failures.exists(failure):
                raise
        observed = self.read()
        if observed is None or observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The bucket name {self.name} is taken",
                cause="another bucket of the tenancy in this region has it",
                fix="set rules.names.bucket to another name, or adopt the bucket with "
                f"--bucket {self.name}",
            )
        return self.update(observed, self.diff(observed))

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        if not changes:
            return observed
        self._write(self._tags.on)
        settled = self.read()
        if settled is None:
            raise _vanished(self.name)
        return settled

    def delete(self, observed: Observed[Storage]) -> None:
        """Everything in it and the bucket itself. Whether that may be is the caller's to say."""
        state: BucketState = observed.state
        buckets, run = self._oracle.buckets, self._oracle.run
        if buckets.state(self.name) is None:
            return

        def remove() -> None:
            for key, version in buckets.objects(
                self.name, versions=state.versioning != UNVERSIONED
            ):
                run.check()
                buckets.remove(self.name, key, version)
            buckets.abort_uploads(self.name)
            buckets.delete(self.name)

        run.retry(
            remove,
            retriable=_filled,
            what=f"the bucket {self.name} to be empty",
            timeout=SETTLE_SECONDS,
        )
        run.wait_gone(
            lambda: self._oracle.buckets.state(self.name),
            by="Oracle",
            what=f"the bucket {self.name}",
            timeout=SETTLE_SECONDS,
        )

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        """A key proves it by use."""
        tell_without_cors(self._oracle.run, self._oracle.store, self.name)
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        """As Oracle counts it, hours late."""
        state: BucketState = observed.state
        return f"about {summary(state.objects, state.size)}"

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        self._write(tags.without_uid)

    def protection(self, observed: Observed[Storage]) -> Mapping[str, str]:
        return _protection(observed.state.public_access, observed.state.versioning)

    def _write(self, change: Callable[[Mapping[str, str]], dict[str, str]]) -> None:
        """All of a reading and a writing again, when somebody wrote in between."""

        def once() -> None:
            state = self._oracle.buckets.state(self.name)
            if state is None:
                raise _vanished(self.name)
            wanted = change(state.tags)
            if wanted != dict(state.tags) or state.public_access != PRIVATE:
                self._oracle.buckets.update(state, wanted)

        self._oracle.run.retry(
            once, retriable=_stale, what=f"the bucket {self.name}", timeout=SETTLE_SECONDS
        )


class AdoptedBucket(AdoptedResource[Storage]):
    """The user's own, in whatever compartment of the tenancy."""

    kind: ClassVar[str] = "oci-bucket"

    def __init__(self, oracle: Oracle, install: Install, name: str) -> None:
        super().__init__(
            key=f"oci:bucket/{name}", title=f"Object Storage bucket {name}", install=install
        )
        self._oracle = oracle
        self.name = name

    @property
    def compartment(self) -> str:
        """Where it is; where it should have been, as long as it is not there."""
        observed = self.observed or self.read()
        return observed.state.compartment if observed else self.install.account

    @property
    def output(self) -> Storage:
        return _storage(self._oracle, self.name)

    def read(self) -> Observed[Storage] | None:
        state = self._oracle.buckets.state(self.name)
        if state is None:
            return None
        return Observed(id=f"s3://{self.name}", output=self.output, state=state)

    def protection(self, observed: Observed[Storage]) -> Mapping[str, str]:
        return _protection(observed.state.public_access, observed.state.versioning)

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        tell_without_cors(self._oracle.run, self._oracle.store, self.name)
        return observed


def protection_of_ours() -> dict[str, str]:
    """As setup makes it."""
    return _protection(PRIVATE, UNVERSIONED)


def _protection(public_access: str, versioning: str) -> dict[str, str]:
    return {
        "encryption": "with keys of Oracle's, or those that the bucket is set to",
        "public access": public_access,
        "versioning": versioning,
    }


def _storage(oracle: Oracle, name: str) -> Storage:
    return replace(oracle.store.storage(name), cors=False)


def _vanished(name: str) -> errors.CliError:
    return errors.CliError(
        errors.BUCKET_MISSING,
        f"The bucket {name} went away while it was changed",
        fix="run the same command again: it makes the bucket anew",
    )


def _stale(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in failures.STALE


def _filled(problem: BaseException) -> bool:
    """Whether something came into the bucket since it was emptied."""
    return isinstance(problem, CloudFailure) and problem.api_code == failures.NOT_EMPTY
