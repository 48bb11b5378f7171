"""The bucket: one that we make and keep as it should be, or one that the user has."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.eks import bucket_contents, codes, tags
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.bucket_settings import Setting, admits, cors_rule, protection
from anyscale_k8s_cli.providers.eks.sdk import s3
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    DataResource,
    FieldChange,
    Observed,
    Unfit,
)
from anyscale_k8s_cli.run import StillWaiting

NAME_LIMIT = 63
# A bucket that was just made is not known everywhere at once; two settings
# written together can meet.
_UNSETTLED = frozenset({"NoSuchBucket", "404", s3.ABORTED})
SETTLE_SECONDS = 30.0


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


def other_name(install: Install) -> str:
    """A name to try where somebody else has the usual one."""
    return install.name(limit=NAME_LIMIT, suffix=f"-{install.account}")


def title(name: str) -> str:
    return f"S3 bucket {name}"


def key(name: str) -> str:
    return f"aws:s3-bucket/{name}"


@dataclass(frozen=True)
class BucketPlace:
    """Where the bucket is: `patience` is how long, in seconds, an old one of its name may end."""

    name: str
    region: str
    patience: float


class Bucket(DataResource[Storage]):
    """Ours, found by name and locator. Setup never deletes it, and delete only when told to."""

    kind: ClassVar[str] = "s3-bucket"

    def __init__(
        self,
        aws: Aws,
        install: Install,
        place: BucketPlace,
        new_tags: Mapping[str, str],
        settings: Sequence[Setting],
    ) -> None:
        super().__init__(key=key(place.name), title=title(place.name), install=install)
        self._aws = aws
        self._place = place
        self._tags = new_tags
        self._settings = tuple(settings)

    @property
    def name(self) -> str:
        return self._place.name

    @property
    def output(self) -> Storage:
        """It follows from the name, so it is known before the bucket is there."""
        return Storage(f"s3://{self.name}", self._place.region)

    def read(self) -> Observed[Storage] | None:
        """Also a bucket of another account is seen: as somebody else's."""
        try:
            region = self._aws.s3.region_of(self.name)
        except CloudFailure as failure:
            if failure.api_code in s3.HIDDEN:
                return self._hidden()
            raise
        if region is None:
            return None
        if region != self._place.region:
            return self._observed(None, manager=f"region {region}; {self._advice()}")
        return self._observed(self._aws.s3.state(self.name, region))

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        state: s3.BucketState = observed.state
        return [change for setting in self._settings for change in setting.differences(state)]

    def create(self) -> Observed[Storage]:
        self._make()
        observed = self._settled()
        ours = observed.owner is not None and observed.owner.id == self.install.id
        if not ours and not observed.unmarked:
            raise self._foreign("a bucket of this name is in your account and is not ours")
        return self.update(observed, self.diff(observed))

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        if not changes:
            return observed
        wanted = {change.field for change in changes}
        for setting in self._settings:
            fields = {change.field for change in setting.differences(observed.state)}
            if fields & wanted:
                self._write(setting, observed.state)
        return self._settled()

    def protection(self, observed: Observed[Storage]) -> Mapping[str, str]:
        return protection(observed.state) if observed.state else {}

    def delete(self, observed: Observed[Storage]) -> None:
        """Everything in it and the bucket itself. Whether that may be is the caller's to say."""
        bucket_contents.remove_all(self._aws.objects(self.name), self._aws.run, self.name)
        self._aws.s3.delete(self.name)
        self._aws.run.wait_gone(
            lambda: self._aws.s3.region_of(self.name),
            by="S3",
            what=f"the bucket {self.name}",
            timeout=SETTLE_SECONDS,
        )

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        """How many versions of objects there are, and their size."""
        return str(bucket_contents.count(self._aws.objects(self.name)))

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        """Take the cluster's UID off a bucket that is kept."""
        found = self._aws.s3.tags(self.name)
        if found.pop(tags.CLUSTER_UID_TAG, None) is not None:
            self._aws.s3.put_tags(self.name, found)

    # -- parts -----------------------------------------------------------------

    def _make(self) -> None:
        try:
            self._aws.run.retry(
                self._create_with_tags,
                retriable=_being_deleted,
                what=f"the old bucket {self.name} to be gone",
                timeout=self._place.patience,
            )
        except CloudFailure as failure:
            if failure.api_code == s3.OURS_ALREADY:
                return
            if failure.api_code == s3.TAKEN:
                raise self._foreign("another AWS account has this name") from failure
            if failure.api_code == s3.ABORTED:
                raise errors.CliError(
                    codes.BUCKET_BEING_DELETED,
                    f"A bucket named {self.name} is still being deleted",
                    cause=f"S3 did not free the name in {self._place.patience:.0f} s",
                    evidence=failure.evidence,
                    fix="run the same command again in an hour at most, or set "
                    f"rules.names.bucket to another name, such as {other_name(self.install)}",
                ) from failure
            raise

    def _create_with_tags(self) -> None:
        """In one call, so that a run that dies leaves no bucket that is nobody's."""
        create = self._aws.s3.create
        name, region = self.name, self._place.region
        if self._aws.s3.tags_at_creation:
            try:
                create(name, region, self._tags)
            except CloudFailure as failure:
                if not failure.denied:
                    raise
            else:
                return
        # Tags at creation need a right of their own (s3:TagResource).
        create(name, region, {})
        self._aws.run.retry(
            lambda: self._aws.s3.put_tags(name, self._tags),
            retriable=_unsettled,
            what=f"the bucket {name}",
            timeout=SETTLE_SECONDS,
        )

    def _write(self, setting: Setting, state: s3.BucketState) -> None:
        self._aws.run.retry(
            lambda: setting.write(state),
            retriable=_unsettled,
            what=f"the bucket {self.name}",
            timeout=SETTLE_SECONDS,
        )

    def _settled(self) -> Observed[Storage]:
        def look() -> Observed[Storage]:
            try:
                observed = self.read()
            except CloudFailure as failure:
                if failure.api_code in _UNSETTLED:
                    raise StillWaiting(str(failure)) from failure
                raise
            if observed is None:
                raise StillWaiting("S3 does not show it yet")
            return observed

        return self._aws.run.wait_for(look, what=f"the bucket {self.name}", timeout=SETTLE_SECONDS)

    def _hidden(self) -> Observed[Storage]:
        whom = "another AWS account (or you may not see it)"
        return self._observed(None, manager=f"{whom}; {self._advice()}")

    def _advice(self) -> str:
        return f"set rules.names.bucket to another name, such as {other_name(self.install)}"

    def _foreign(self, cause: str) -> errors.CliError:
        return errors.CliError(
            errors.FOREIGN_OBJECT,
            f"The bucket name {self.name} is taken",
            cause=cause,
            fix=f"{self._advice()}, or adopt the bucket with --bucket {self.name}",
        )

    def _observed(self, state: s3.BucketState | None, manager: str = "") -> Observed[Storage]:
        return Observed(
            id=self._aws.caller.bucket(self.name),
            output=self.output,
            owner=Install.from_locator(state.tags) if state else None,
            manager=manager,
            unmarked=state is not None and not state.tags,
            state=state,
        )


class AdoptedBucket(AdoptedResource[Storage]):
    """The user's own."""

    kind: ClassVar[str] = "s3-bucket"

    def __init__(
        self, aws: Aws, install: Install, name: str, region: str, console_origin: str
    ) -> None:
        super().__init__(key=key(name), title=title(name), install=install)
        self._aws = aws
        self._name = name
        self._region = region
        self._origin = console_origin

    def read(self) -> Observed[Storage] | None:
        try:
            region = self._aws.s3.region_of(self._name)
        except CloudFailure as failure:
            if failure.api_code not in s3.HIDDEN:
                raise
            account = self._aws.caller.account
            return self._observed(
                self._region,
                Unfit(
                    f"it is not in the account {account}, or you may not see it",
                    "check the bucket's name and account, and that you have s3:ListBucket on it",
                ),
            )
        if region is None:
            return None
        unfit = []
        if region != self._region:
            unfit.append(
                Unfit(
                    f"it is in {region} and the cluster in {self._region}",
                    f"name a bucket in {self._region}",
                )
            )
        elif not admits(self._aws.s3.cors(self._name), self._origin):
            unfit.append(self._without_cors())
        return self._observed(region, *unfit)

    def kms_key(self) -> str | None:
        """The key that encrypts it, which its users need as well; None if none can be seen."""
        try:
            algorithm, key_arn, _ = self._aws.s3.encryption(self._name)
        except CloudFailure as failure:
            if failure.denied or failure.api_code in s3.ABSENT:
                return None
            raise
        return key_arn if algorithm.startswith("aws:kms") and key_arn else None

    def _without_cors(self) -> Unfit:
        rule = json.dumps({"CORSRules": [cors_rule(self._origin)]})
        return Unfit(
            f"its CORS rules do not admit the console ({self._origin})",
            "add the rule to those that are there or, if there are none:\n"
            f"aws s3api put-bucket-cors --bucket {self._name} --region {self._region} "
            f"--cors-configuration '{rule}'",
        )

    def _observed(self, region: str, *unfit: Unfit) -> Observed[Storage]:
        return Observed(
            id=self._aws.caller.bucket(self._name),
            output=Storage(f"s3://{self._name}", region),
            unfit=unfit,
        )


def _being_deleted(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code == s3.ABORTED


def _unsettled(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in _UNSETTLED
