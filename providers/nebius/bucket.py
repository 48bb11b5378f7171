"""The bucket: one that we make and keep as it should be, or one that the user has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.object_storage import summary
from anyscale_k8s_cli.providers.nebius import bucket_settings, tags
from anyscale_k8s_cli.providers.nebius.bucket_settings import BucketWishes, admits
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.providers.nebius.sdk.failures import EXISTS, STALE, STANDS_AGAINST
from anyscale_k8s_cli.providers.nebius.sdk.storage import BucketState, Settings
from anyscale_k8s_cli.providers.objectstore.contents import remove_all
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    DataResource,
    FieldChange,
    Observed,
    Unfit,
)

NAME_LIMIT = 63
SETTLE_SECONDS = 60.0


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


def other_name(install: Install) -> str:
    """A name to try where somebody else has the usual one."""
    return install.name(limit=NAME_LIMIT, suffix=f"-{install.account[-6:]}")


def key(name: str) -> str:
    return f"nebius:bucket/{name}"


def title(name: str) -> str:
    return f"Object Storage bucket {name}"


class Bucket(DataResource[Storage]):
    """Ours, found by name and locator. Setup never deletes it, and delete only when told to."""

    kind: ClassVar[str] = "nebius-bucket"

    def __init__(self, nebius: Nebius, install: Install, name: str, wishes: BucketWishes) -> None:
        super().__init__(key=key(name), title=title(name), install=install)
        self._nebius = nebius
        self._wishes = wishes
        self.name = name

    @property
    def output(self) -> Storage:
        """It follows from the name, so it is known before the bucket is there."""
        return self._nebius.store(self.install.region).storage(self.name)

    def read(self) -> Observed[Storage] | None:
        """Other projects' buckets are not seen; creation tells of them."""
        state = self._nebius.storage.state(self.name)
        if state is None:
            return None
        manager = "its own deletion: it is scheduled" if state.deleted else ""
        return Observed(
            id=state.id,
            output=self.output,
            owner=None if manager else tags.owner(state.settings.labels, self.install),
            manager=manager,
            unfit=(Unfit("it waits for its end", _undelete(state.id)),) if manager else (),
            state=state,
        )

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        state: BucketState = observed.state
        return bucket_settings.changes(state.settings, self._wishes)

    def create(self) -> Observed[Storage]:
        wanted = bucket_settings.wanted(Settings(), self._wishes)
        try:
            self._nebius.storage.create(self.name, wanted)
        except CloudFailure as failure:
            if failure.api_code != EXISTS:
                raise
        observed = self.read()
        if observed is None or observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The bucket name {self.name} is taken",
                cause="another project in the region has it"
                if observed is None
                else "a bucket of this name in your project is not ours",
                fix=f"set rules.names.bucket to another name, such as {other_name(self.install)}",
            )
        return self.update(observed, self.diff(observed))

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        if not changes:
            return observed
        self._write(lambda found: bucket_settings.wanted(found, self._wishes))
        return self._settled()

    def delete(self, observed: Observed[Storage]) -> None:
        """Everything in it and the bucket itself. Whether that may be is the caller's to say.

        Nebius deletes a bucket only when it is empty, and gives it some days unless told.
        """
        state: BucketState = observed.state
        run = self._nebius.run
        if self._nebius.storage.state(self.name) is None:
            return
        with self._nebius.own_keys() as own:
            s3 = self._nebius.s3(self.install.region, own)

            def remove() -> None:
                remove_all(s3, self.name)
                self._nebius.storage.delete(state.id)

            run.retry(
                remove,
                retriable=_in_use,
                what=f"the bucket {self.name} to be empty",
                timeout=SETTLE_SECONDS,
            )
        run.wait_gone(
            lambda: self._nebius.storage.state(self.name),
            by="Nebius",
            what=f"the bucket {self.name}",
            timeout=SETTLE_SECONDS,
        )

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        state: BucketState = observed.state
        return summary(state.objects, state.size)

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        def forgotten(found: Settings) -> Settings:
            return replace(found, labels=tags.without_uid(found.labels))

        self._write(forgotten)

    def protection(self, observed: Observed[Storage]) -> Mapping[str, str]:
        state: BucketState = observed.state
        return bucket_settings.told(state.settings)

    # -- parts -----------------------------------------------------------------

    def _write(self, change: Callable[[Settings], Settings]) -> None:
        """All of a reading and a writing again, when somebody wrote in between."""

        def once() -> None:
            state = self._nebius.storage.state(self.name)
            if state is None:
                raise _vanished(self.name)
            wanted = change(state.settings)
            if wanted != state.settings:
                self._nebius.storage.update(self.name, wanted, state.version)

        self._nebius.run.retry(
            once, retriable=_stale, what=f"the bucket {self.name}", timeout=SETTLE_SECONDS
        )

    def _settled(self) -> Observed[Storage]:
        observed = self.read()
        if observed is None:
            raise _vanished(self.name)
        return observed


class AdoptedBucket(AdoptedResource[Storage]):
    """The user's own, in the project."""

    kind: ClassVar[str] = "nebius-bucket"

    def __init__(self, nebius: Nebius, install: Install, name: str, console_origin: str) -> None:
        super().__init__(key=key(name), title=title(name), install=install)
        self._nebius = nebius
        self._origin = console_origin
        self.name = name

    @property
    def output(self) -> Storage:
        return self._nebius.store(self.install.region).storage(self.name)

    def read(self) -> Observed[Storage] | None:
        state = self._nebius.storage.state(self.name)
        if state is None:
            return None
        unfit = []
        if state.deleted:
            unfit.append(Unfit("it is scheduled for deletion", _undelete(state.id)))
        if not admits(state.settings.cors, self._origin):
            unfit.append(
                Unfit(
                    f"its CORS rules do not admit the console ({self._origin})",
                    f"nebius storage bucket update --id {state.id} --cors-rules "
                    f'\'[{{"allowed_origins":["{self._origin}"],"allowed_methods":'
                    '["DELETE","GET","HEAD","POST","PUT"],"allowed_headers":["*"]}]\'',
                )
            )
        return Observed(id=state.id, output=self.output, unfit=tuple(unfit), state=state)


def _undelete(bucket_id: str) -> str:
    return f"nebius storage bucket undelete --id {bucket_id}"


def _vanished(name: str) -> errors.CliError:
    return errors.CliError(
        errors.BUCKET_MISSING,
        f"The bucket {name} went away while it was changed",
        fix="run the same command again: it makes the bucket anew",
    )


def _stale(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in STALE


def _in_use(problem: BaseException) -> bool:
    """Whether something came into the bucket since it was emptied, or the key is not known yet."""
    return isinstance(problem, CloudFailure) and (
        problem.denied or problem.api_code == STANDS_AGAINST
    )
