"""What the account of pods may do with the bucket, in the bucket's policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Identity
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.gcs.bucket import AdoptedBucket, Bucket
from anyscale_k8s_cli.providers.gcs.sdk.policy import Grant, Policy, member_of
from anyscale_k8s_cli.providers.gke import policies
from anyscale_k8s_cli.providers.gke.google import Google, may_see
from anyscale_k8s_cli.resource import AdoptedResource, FieldChange, Observed, Resource, Unfit


def key(bucket: str, email: str) -> str:
    return f"gcp:bucket-access/{bucket}/{email.partition('@')[0]}"


def title(bucket: str, holder: Holder = OPERATOR) -> str:
    whose = "" if holder is OPERATOR else "of Ray's pods "
    return f"access {whose}to bucket {bucket}"


@dataclass(frozen=True)
class Member:
    """Whom a bucket's policy names, who acts as this account, and the user's role that it gets."""

    email: str
    holder: Holder = OPERATOR
    own_role: str | None = None

    @property
    def grants(self) -> tuple[Grant, ...]:
        return policies.on_bucket(self.email, self.holder, self.own_role)


class BucketAccess(Resource[Identity]):
    """The account's roles on our bucket: only with them is the identity of use.

    The policy has no place for a locator; the account's name has the install's id.
    """

    kind: ClassVar[str] = "gcs-bucket-access"

    def __init__(
        self,
        google: Google,
        install: Install,
        bucket: Bucket,
        member: Member,
        patience: float,
        *,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=key(bucket.name, member.email),
            title=title(bucket.name, member.holder),
            install=install,
            needs=needs,
        )
        self._google = google
        self._storage = bucket
        self.bucket = bucket.name
        self._email = member.email
        self._patience = patience
        self._wanted = member.grants

    @property
    def output(self) -> Identity:
        """It follows from the names, so it is known before the roles are there."""
        return Identity(self._email, self._email)

    def read(self) -> Observed[Identity] | None:
        try:
            policy = self._google.storage.policy(self.bucket)
        except CloudFailure as failure:
            found = self._storage.read() if failure.denied else None
            if found is None or not found.manager:
                raise
            # What stands in the policy of somebody else's bucket, nobody needs to know.
            return None
        if policy is None or not self._traces(policy):
            return None
        return self._observed(policy)

    def diff(self, observed: Observed[Identity]) -> Sequence[FieldChange]:
        policy: Policy = observed.state
        return policies.missing(policy, self._wanted, self._email, self._superseded(policy))

    def create(self) -> Observed[Identity]:
        return self._write(grant=True)

    def update(
        self, observed: Observed[Identity], changes: Sequence[FieldChange]
    ) -> Observed[Identity]:
        return self._write(grant=True) if changes else observed

    def delete(self, observed: Observed[Identity]) -> None:
        self._write(grant=False)

    def ready(self, observed: Observed[Identity]) -> Observed[Identity]:
        """It is proven by use, once there is a token to use it with."""
        return observed

    def grants(self, observed: Observed[Identity]) -> Sequence[PolicyDocument]:
        """What the account may; what others may in the bucket is in its policy."""
        held = policies.of_member(observed.state, member_of(self._email))
        return (policies.document(f"roles on the bucket {self.bucket}", held),)

    def _write(self, *, grant: bool) -> Observed[Identity]:
        storage = self._google.storage

        def changed(policy: Policy) -> Policy:
            gone = policy.ghosts(self._email) | self._superseded(policy)
            if grant:
                return policy.changed(add=self._wanted, remove=gone)
            return policy.changed(remove=[*self._wanted, *gone])

        policies.revise(
            self._google.run,
            lambda: storage.policy(self.bucket),
            lambda policy: storage.set_policy(self.bucket, policy),
            changed,
            what=f"the policy of the bucket {self.bucket}",
            patience=self._patience,
        )
        policy = self._google.storage.policy(self.bucket)
        if policy is None and grant:
            raise errors.CliError(
                errors.BUCKET_MISSING,
                f"The bucket {self.bucket} went away while its policy was changed",
                fix="run the same command again: it makes the bucket anew",
            )
        return self._observed(policy or Policy(()))

    def _superseded(self, policy: Policy) -> frozenset[Grant]:
        """With what is wanted these tell that setup was here, whoever acts as the account."""
        return policies.superseded(policy, self._wanted, self._email)

    def _traces(self, policy: Policy) -> bool:
        ours = policy.grants & set(self._wanted) or self._superseded(policy)
        return bool(ours or policy.ghosts(self._email))

    def _observed(self, policy: Policy) -> Observed[Identity]:
        return Observed(
            id=f"gs://{self.bucket}#{self._email}",
            output=Identity(self._email, self._email),
            owner=self.install,
            state=policy,
        )


class AdoptedAccess(AdoptedResource[Identity]):
    """The account's roles on a bucket of the user's: looked for, never granted by us.

    Nobody can grant roles to an account that setup is still to make: then it is
    made, and what its owner is to grant on the bucket is told after that.
    """

    kind: ClassVar[str] = "gcs-bucket-access"

    def __init__(
        self,
        google: Google,
        install: Install,
        bucket: AdoptedBucket,
        account: Resource[str],
        holder: Holder = OPERATOR,
    ) -> None:
        self._email = account.output
        super().__init__(
            key=key(bucket.name, self._email),
            title=title(bucket.name, holder),
            install=install,
            needs=(bucket, account),
        )
        self._wanted = Member(self._email, holder).grants
        self._google = google
        self._bucket = bucket.name
        self._account = account

    @property
    def output(self) -> Identity:
        """It follows from the names."""
        return Identity(self._email, self._email)

    def read(self) -> Observed[Identity]:
        unfit = self._lacking() if self._account.observed is not None else None
        return Observed(
            id=f"gs://{self._bucket}#{self._email}",
            output=self.output,
            unfit=(unfit,) if unfit else (),
        )

    def ready(self, observed: Observed[Identity]) -> Observed[Identity]:
        unfit = self._lacking()
        if unfit is None:
            return observed
        raise errors.CliError(
            errors.ADOPTED_UNFIT,
            f"The {self.title} is not granted yet",
            cause=unfit.reason,
            fix=f"{unfit.fix}; then run the same command again to go on",
        )

    def _lacking(self) -> Unfit | None:
        """None also for who may not look: the proof by use will tell."""
        policy = may_see(lambda: self._google.storage.policy(self._bucket), None)
        lacking = [
            grant
            for grant in self._wanted
            if policy is not None and policies.lacks((policy,), grant)
        ]
        if lacking:
            # Rights may come from the project as well.
            above = may_see(self._google.projects.policy, None)
            lacking = [grant for grant in lacking if above and policies.lacks((above,), grant)]
        if not lacking:
            return None
        commands = [
            f"gcloud storage buckets add-iam-policy-binding gs://{self._bucket} "
            f"--member={grant.member} --role={grant.role}"
            for grant in lacking
        ]
        roles = ", ".join(grant.role for grant in lacking)
        return Unfit(f"{self._email} lacks {roles} on it", " && ".join(commands))
