"""The bucket in a store that is not Amazon's: ours, or the user's own.

Not every store has tags, so whose a bucket is stands in an object in it. The name
is a fixed function of the install, and a bucket of that name with neither our object
nor any other is what a run left that died between making it and marking it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.object_storage import PROOF_KEY
from anyscale_k8s_cli.providers.objectstore import codes, contents, cors, permissions, probe
from anyscale_k8s_cli.providers.objectstore.sdk.client import (
    DENIED,
    OURS_ALREADY,
    S3,
    TAKEN,
    Rule,
)
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    DataResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
)
from anyscale_k8s_cli.run import Run, StillWaiting

LOCATOR_KEY = "anyscale-k8s-cli/install.json"
KIND = "s3-bucket"
# Seconds until a store shows a bucket that it has just made, or no longer one that is gone.
SETTLE_SECONDS = 30.0
_NAME_LIMIT = 63
_KEPT_OUT = (
    "somebody else, who keeps these keys out, unless it is that no policy lets them "
    "s3:ListBucket and s3:GetObject on it"
)


def default_name(install: Install) -> str:
    return install.name(limit=_NAME_LIMIT)


def bucket_name(given: str) -> str:
    """The name in what a user calls a bucket: a name or `s3://name`."""
    return given.removeprefix("s3://").rstrip("/")


@dataclass(frozen=True)
class _Seen:
    """`cors` is None where the store has no such call."""

    locator: Install | None
    empty: bool
    cors: tuple[Rule, ...] | None


class Bucket(DataResource[Storage]):
    """Ours. `origin` is the console's; empty where nothing is set up (a teardown)."""

    kind: ClassVar[str] = KIND

    def __init__(
        self,
        s3: S3,
        install: Install,
        name: str,
        *,
        origin: str = "",
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{name}",
            title=f"bucket {name} in {s3.store.title}",
            install=install,
            needs=needs,
        )
        self.name = name
        self._s3 = s3
        self._origin = origin

    @property
    def output(self) -> Storage:
        """Known beforehand, but for what the store says of CORS."""
        return self.observed.output if self.observed else self._s3.store.storage(self.name)

    def read(self) -> Observed[Storage] | None:
        try:
            if not self._s3.exists(self.name):
                # Only the read of an object shows whether checksums are taken.
                self._s3.find(self.name, LOCATOR_KEY)
                return None
            return self._observed(self._look())
        except CloudFailure as failure:
            names = _names(self._s3) if failure.api_code in DENIED else None
            if names is not None and self.name not in names:
                # The keys are known, so it is the name that is somebody else's, or a right missing.
                return self._observed(None, manager=_KEPT_OUT)
            raise _diagnosed(self._s3, self.name, failure) from failure

    def _look(self) -> _Seen:
        found = self._s3.find(self.name, LOCATOR_KEY)
        rules = self._s3.cors(self.name) if self._origin and self._s3.store.has_cors else None
        return _Seen(
            _owner(found) if found is not None else None,
            empty=found is None and not self._s3.keys(self.name, ""),
            cors=None if rules is None else tuple(rules),
        )

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        seen: _Seen = observed.state
        changes = []
        if seen.locator != self.install:
            changes.append(FieldChange("locator", _told(seen.locator), _told(self.install)))
        if seen.cors is not None and not cors.admits(seen.cors, self._origin):
            changes.append(FieldChange("CORS for the console", "absent", self._origin))
        return changes

    def create(self) -> Observed[Storage]:
        try:
            self._s3.create(self.name)
        except CloudFailure as failure:
            if failure.api_code in TAKEN:
                raise self._taken(failure) from failure
            if failure.denied:
                raise self._not_allowed(failure) from failure
            if failure.api_code not in OURS_ALREADY:
                raise
        observed = self._s3.run.wait_for(
            self._shown, what=f"the bucket {self.name}", timeout=SETTLE_SECONDS
        )
        seen: _Seen | None = observed.state
        if seen is None:
            raise self._unseen()
        # Of another install too, where no plan could look before.
        others = seen.locator is not None and seen.locator.id != self.install.id
        if others or (seen.locator is None and not seen.empty):
            raise self._taken(None)
        return self.update(observed, self.diff(observed))

    def _shown(self) -> Observed[Storage]:
        observed = self.read()
        if observed is None:
            raise StillWaiting("the store does not show it yet")
        return observed

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        fields = {change.field for change in changes}
        if "locator" in fields:
            self._mark(self.install)
        if "CORS for the console" in fields:
            rules = cors.merged(observed.state.cors or (), self._origin)
            self._s3.put_cors(self.name, rules)
        return self._observed(self._look())

    def delete(self, observed: Observed[Storage]) -> None:
        """Everything in it and the bucket itself. Whether that may be is the caller's to say."""
        contents.remove_all(self._s3, self.name)
        self._s3.delete(self.name)
        self._s3.run.wait_for(
            self._gone, what=f"the bucket {self.name} to be gone", timeout=SETTLE_SECONDS
        )

    def _gone(self) -> None:
        if self._s3.exists(self.name):
            raise StillWaiting("the store still shows it")

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        """Once it was used as the operator and its pods will use it."""
        probe.use(self._s3, self.name)
        if self._origin and (observed.state is None or observed.state.cors is None):
            tell_without_cors(self._s3.run, self._s3.store, self.name)
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        """How many objects there are, and their size."""
        return str(contents.count(self._s3, self.name))

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        """Take the cluster's UID off a bucket that is kept."""
        if observed.owner is not None and observed.owner.cluster_uid:
            self._mark(observed.owner.forgetting_cluster())

    def _mark(self, install: Install) -> None:
        content = json.dumps(install.locator(), indent=1, sort_keys=True) + "\n"
        self._s3.put(self.name, LOCATOR_KEY, content.encode())

    def _observed(self, seen: _Seen | None, manager: str = "") -> Observed[Storage]:
        return Observed(
            id=f"s3://{self.name}",
            output=_told_of_cors(self._s3, self.name, seen.cors if seen else None),
            owner=seen.locator if seen else None,
            manager=manager,
            unmarked=seen is not None and seen.empty,
            state=seen,
        )

    def _taken(self, failure: CloudFailure | None) -> errors.CliError:
        return errors.CliError(
            errors.FOREIGN_OBJECT,
            f"The bucket name {self.name} is taken",
            cause="somebody else's bucket in this store has it",
            evidence=failure.evidence if failure else (),
            fix="set rules.names.bucket to another name, or adopt the bucket with "
            f"--bucket {self.name}",
        )

    def _unseen(self) -> errors.CliError:
        """Of one that was made, or is ours already, and that these keys may not look at."""
        action = permissions.action_of("HeadBucket")
        return errors.CliError(
            codes.STORE_KEYS_DENIED,
            f"{self._s3.store.title} does not let these keys {action} on {self.name}",
            cause="the bucket is there",
            fix="have a policy allow it to whom the keys are of: "
            f"{permissions.statement_for(action, self.name)}\nthen run the same command again",
        )

    def _not_allowed(self, failure: CloudFailure) -> errors.CliError:
        statement = permissions.statement_for(permissions.action_of("CreateBucket"), self.name)
        return errors.CliError(
            codes.STORE_BUCKET_REFUSED,
            f"{self._s3.store.title} does not let these keys make a bucket",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=f"have a policy allow it to whom the keys are of: {statement}\n"
            "or have one made and name it with --bucket",
        )


class AdoptedBucket(AdoptedResource[Storage]):
    """The user's own."""

    kind: ClassVar[str] = KIND

    def __init__(
        self,
        s3: S3,
        install: Install,
        name: str,
        *,
        origin: str,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{name}",
            title=f"bucket {name} in {s3.store.title}",
            install=install,
            needs=needs,
        )
        self.name = name
        self._s3 = s3
        self._origin = origin

    @property
    def output(self) -> Storage:
        """Known beforehand, but for what the store says of CORS."""
        return self.observed.output if self.observed else self._s3.store.storage(self.name)

    def read(self) -> Observed[Storage] | None:
        try:
            if not self._s3.exists(self.name):
                return None
            self._s3.find(self.name, PROOF_KEY)
            rules = self._s3.cors(self.name) if self._s3.store.has_cors else None
        except CloudFailure as failure:
            raise _diagnosed(self._s3, self.name, failure) from failure
        if rules is not None and not cors.admits(rules, self._origin):
            why = Unfit(
                f"its CORS rules do not admit the console ({self._origin})",
                "add the rule to those that are there, or, if there are none: "
                + cors.by_hand(self._s3.store, self.name, self._origin),
            )
            return self._observed(rules, why)
        return self._observed(rules)

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        """Once it was used as the operator and its pods will use it; nothing of that stays."""
        probe.use(self._s3, self.name)
        if observed.state is None:
            tell_without_cors(self._s3.run, self._s3.store, self.name)
        return observed

    def _observed(self, rules: list[Rule] | None, *unfit: Unfit) -> Observed[Storage]:
        output = _told_of_cors(self._s3, self.name, rules)
        return Observed(id=f"s3://{self.name}", output=output, unfit=unfit, state=rules)


def _names(s3: S3) -> list[str] | None:
    """Those of the keys' own buckets; None where the keys are not known, or may not ask."""
    try:
        return s3.names()
    except CloudFailure:
        return None


def _diagnosed(s3: S3, bucket: str, failure: CloudFailure) -> CloudFailure:
    return probe.diagnosed(s3, bucket, lambda asked: probe.read_once(asked, bucket), failure)


def _told_of_cors(s3: S3, bucket: str, rules: Sequence[Rule] | None) -> Storage:
    return replace(s3.store.storage(bucket), cors=rules is not None)


def tell_without_cors(run: Run, store: S3Store, bucket: str) -> None:
    """Warn of what the console will not show."""
    text = (
        f"{store.title} has no CORS call: the console cannot show logs and files from "
        f"{bucket} in a browser, unless the store lets it in by other means"
    )
    run.emit(Notice(level="warning", text=text))


def _owner(content: bytes) -> Install | None:
    try:
        pairs = json.loads(content)
    except ValueError:
        return None
    return Install.from_locator(pairs) if isinstance(pairs, dict) else None


def _told(install: Install | None) -> str | None:
    return f"{install.id} {install.cluster_uid}".strip() if install else None
