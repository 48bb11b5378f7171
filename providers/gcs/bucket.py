"""The bucket: one that we make and keep as it should be, or one that the user has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar, Protocol

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.install import MARK_PREFIX, Install, has_labels_of
from anyscale_k8s_cli.object_storage import Tally
from anyscale_k8s_cli.providers.gcs import bucket_settings
from anyscale_k8s_cli.providers.gcs.bucket_settings import BucketWishes, admits, cors_rule
from anyscale_k8s_cli.providers.gcs.sdk.failures import EXISTS, STALE
from anyscale_k8s_cli.providers.gcs.sdk.objects import Objects
from anyscale_k8s_cli.providers.gcs.sdk.storage import BucketState, Settings, hidden
from anyscale_k8s_cli.providers.gcs.sdk.storage import Storage as Buckets
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    DataResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
)
from anyscale_k8s_cli.run import Run, current_step

NAME_LIMIT = 63
SETTLE_SECONDS = 30.0
UID_LABEL = f"{MARK_PREFIX}-cluster-uid"


# https://cloud.google.com/storage/docs/buckets#naming: neither that word nor what looks like it.
_RESERVED = re.compile(r"g[o0]{2}g[l1]e")


def default_name(install: Install) -> str:
    return _permitted(install.name(limit=NAME_LIMIT))


def other_name(install: Install) -> str:
    """A name to try where somebody else has the usual one."""
    return _permitted(install.name(limit=NAME_LIMIT, suffix=f"-{install.account.split(':')[-1]}"))


def _permitted(name: str) -> str:
    return _RESERVED.sub("g", name)


def key(name: str) -> str:
    return f"gcp:bucket/{name}"


def title(name: str) -> str:
    return f"Cloud Storage bucket {name}"


class Project(Protocol):
    """The project that buckets are in, as one platform looks at it."""

    @property
    def run(self) -> Run: ...

    @property
    def project(self) -> str:
        """Its id."""
        ...

    @property
    def storage(self) -> Buckets: ...

    def objects(self, bucket: str) -> Objects:
        """What is in a bucket, as ourselves."""
        ...

    def owns(self, bucket: str, state: BucketState) -> bool:
        """Whether a bucket is the project's: names are global, and labels anybody's to write."""
        ...

    def owner(self, labels: Mapping[str, str], install: Install) -> Install | None:
        """Whose a bucket of the project is, looked at on behalf of an install."""
        ...

    def raise_not_allowed(self, failure: CloudFailure) -> None:
        """Raise the error of a project in which no bucket may be made; nothing where the
        failure says it all."""
        ...

    def prove(self, bucket: str) -> None:
        """Use a bucket as pods will, where nobody else proves that they can."""
        ...


class Bucket(DataResource[Storage]):
    """Ours, found by name and locator. Setup never deletes it, and delete only when told to.

    `location` is where it is to be, and where it is made; None takes it where it is, and
    makes it at `elsewhere`.
    """

    kind: ClassVar[str] = "gcs-bucket"

    def __init__(
        self,
        google: Project,
        install: Install,
        name: str,
        wishes: BucketWishes,
        *,
        location: str | None,
        elsewhere: str = "",
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(key=key(name), title=title(name), install=install, needs=needs)
        self._google = google
        self._wishes = wishes
        self._location = location
        self._elsewhere = elsewhere
        self.name = name

    @property
    def output(self) -> Storage:
        """It follows from the name, so it is known before the bucket is there."""
        if self._location is None and self.observed is not None:
            return self.observed.output
        return self._at(self._new_location)

    @property
    def _new_location(self) -> str:
        return self._location if self._location is not None else self._elsewhere

    def _at(self, location: str) -> Storage:
        return Storage(f"gs://{self.name}", location)

    def read(self) -> Observed[Storage] | None:
        """Also a bucket of another project is seen: as somebody else's."""
        try:
            state = self._google.storage.state(self.name)
        except CloudFailure as failure:
            if hidden(failure):
                whom = "another project (or you may not see it)"
                return self._observed(None, manager=f"{whom}; {self._advice()}")
            raise
        if state is None:
            return None
        if not self._google.owns(self.name, state):
            return self._observed(state, manager=f"another project; {self._advice()}")
        if self._location is not None and state.location.lower() != self._location.lower():
            return self._observed(
                state, manager=f"location {state.location.lower()}; {self._advice()}"
            )
        return self._observed(state)

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        state: BucketState = observed.state
        return bucket_settings.changes(state.settings, self._wishes)

    def create(self) -> Observed[Storage]:
        wanted = bucket_settings.wanted(Settings(), self._wishes)
        try:
            self._google.storage.create(self.name, self._new_location, wanted)
        except CloudFailure as failure:
            self._raise_for_key(failure)
            if failure.denied:
                self._google.raise_not_allowed(failure)
            if failure.api_code != EXISTS:
                raise
        observed = self._settled()
        if observed.owner is None or observed.owner.id != self.install.id or observed.manager:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The bucket name {self.name} is taken",
                cause=observed.manager or "a bucket of this name in your project is not ours",
                fix=f"{self._advice()}, or adopt the bucket with --bucket {self.name}",
            )
        return self.update(observed, self.diff(observed))

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        if not changes:
            return observed

        def write() -> None:
            state = self._google.storage.state(self.name)
            if state is None:
                raise _vanished(self.name)
            wanted = bucket_settings.wanted(state.settings, self._wishes)
            if wanted != state.settings:
                self._google.storage.update(self.name, wanted, state)

        try:
            self._unless_changed(write)
        except CloudFailure as failure:
            self._raise_for_key(failure)
            raise
        return self._settled()

    def delete(self, observed: Observed[Storage]) -> None:
        """Everything in it and the bucket itself. Whether that may be is the caller's to say."""
        self._google.run.retry(
            self._remove,
            retriable=_conflict,
            what=f"the bucket {self.name} to be empty",
            timeout=SETTLE_SECONDS,
        )
        self._google.run.wait_gone(
            lambda: self._google.storage.state(self.name),
            by="Cloud Storage",
            what=f"the bucket {self.name}",
            timeout=SETTLE_SECONDS,
        )

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        self._google.prove(self.name)
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        tally = Tally()
        for item in chain.from_iterable(self._google.objects(self.name).versions()):
            tally.add(item.key, item.size)
        return str(tally)

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        self._unless_changed(lambda: self._google.storage.drop_label(self.name, UID_LABEL))

    # -- parts -----------------------------------------------------------------

    def _unless_changed(self, write: Callable[[], None]) -> None:
        """All of a reading and a writing again, when somebody wrote in between."""
        self._google.run.retry(
            write, retriable=_stale, what=f"the bucket {self.name}", timeout=SETTLE_SECONDS
        )

    def _remove(self) -> None:
        objects, removed = self._google.objects(self.name), 0
        for page in objects.versions():
            self._google.run.check()
            objects.delete_versions(page)
            removed += len(page)
            if page:
                self._google.run.emit(
                    StepWaiting(
                        key=current_step.get(),
                        what=f"the bucket {self.name} to be empty",
                        detail=f"{removed} versions removed",
                    )
                )
        self._google.storage.delete(self.name)

    def _raise_for_key(self, failure: CloudFailure) -> None:
        """Raise when it is the key that Google minds."""
        if not self._wishes.kms_key or "Cloud KMS" not in failure.cause:
            return
        raise errors.CliError(
            errors.ADOPTED_UNFIT,
            f"The key {self._wishes.kms_key} cannot encrypt the bucket",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=f"gcloud storage service-agent --project {self._google.project} "
            f"--authorize-cmek {self._wishes.kms_key}\n"
            "or give --kms-key another one",
        ) from failure

    def protection(self, observed: Observed[Storage]) -> Mapping[str, str]:
        state: BucketState | None = observed.state
        return bucket_settings.told(state.settings) if state else {}

    def _settled(self) -> Observed[Storage]:
        return self._google.run.wait_shown(
            self.read, by="Cloud Storage", what=f"the bucket {self.name}", timeout=SETTLE_SECONDS
        )

    def _advice(self) -> str:
        return f"set rules.names.bucket to another name, such as {other_name(self.install)}"

    def _observed(self, state: BucketState | None, manager: str = "") -> Observed[Storage]:
        found = state.settings.labels if state and not manager else {}
        location = state.location.lower() if state and self._location is None else None
        return Observed(
            id=f"gs://{self.name}",
            output=self._at(self._new_location if location is None else location),
            owner=self._google.owner(found, self.install),
            manager=manager,
            state=state,
        )


class AdoptedBucket(AdoptedResource[Storage]):
    """The user's own."""

    kind: ClassVar[str] = "gcs-bucket"

    def __init__(
        self,
        google: Project,
        install: Install,
        name: str,
        console_origin: str,
        *,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(key=key(name), title=title(name), install=install, needs=needs)
        self._google = google
        self._origin = console_origin
        self.name = name

    def read(self) -> Observed[Storage] | None:
        try:
            state = self._google.storage.state(self.name)
        except CloudFailure as failure:
            if not hidden(failure):
                raise
            return self._observed(
                self.install.region,
                Unfit(
                    "you may not see it",
                    f"have storage.buckets.get allowed on gs://{self.name}, or check the name",
                ),
            )
        if state is None:
            return None
        unfit = []
        if not admits(state.settings.cors, self._origin):
            unfit.append(self._without_cors(state.settings))
        return self._observed(state.location.lower(), *unfit)

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        """Nothing of the proof stays."""
        self._google.prove(self.name)
        return observed

    def _without_cors(self, settings: Settings) -> Unfit:
        rules = json.dumps([*settings.cors, cors_rule(self._origin)])
        return Unfit(
            f"its CORS rules do not admit the console ({self._origin})",
            f"echo '{rules}' > cors.json && "
            f"gcloud storage buckets update gs://{self.name} --cors-file=cors.json",
        )

    def _observed(self, region: str, *unfit: Unfit) -> Observed[Storage]:
        return Observed(
            id=f"gs://{self.name}", output=Storage(f"gs://{self.name}", region), unfit=unfit
        )


def of_install(google: Project, install: Install, location: str | None) -> str:
    """The name of the install's bucket, by locators: the usual one, else any; empty if none."""
    usual = default_name(install)
    bucket = Bucket(google, install, usual, BucketWishes({}, "", None), location=location)
    observed = bucket.read()
    if observed is not None and observed.owner is not None and observed.owner.id == install.id:
        return usual
    found = google.storage.labels()
    return next((name for name, labels in found if has_labels_of(labels, install)), "")


def _vanished(name: str) -> errors.CliError:
    return errors.CliError(
        errors.BUCKET_MISSING,
        f"The bucket {name} went away while it was changed",
        fix="run the same command again: it makes the bucket anew",
    )


def _conflict(problem: BaseException) -> bool:
    """Whether something came into the bucket since it was emptied."""
    return isinstance(problem, CloudFailure) and problem.api_code == EXISTS


def _stale(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in STALE
