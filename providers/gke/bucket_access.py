"""What the operator's account may do with the bucket, in the bucket's policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Identity
from anyscale_k8s_cli.providers.gke import policies
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.providers.gke.sdk.policy import Policy
from anyscale_k8s_cli.resource import AdoptedResource, FieldChange, Observed, Resource, Unfit


def key(bucket: str, email: str) -> str:
    return f"gcp:bucket-access/{bucket}/{email.partition('@')[0]}"


def title(bucket: str) -> str:
    return f"access to bucket {bucket}"


class BucketAccess(Resource[Identity]):
    """The account's roles on our bucket: only with them is the identity of use.

    The policy has no place for a locator; the account's name has the install's id.
    """

    kind: ClassVar[str] = "gcs-bucket-access"

    def __init__(
        self,
        google: Google,
        install: Install,
        bucket: str,
        email: str,
        *,
        patience: float,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(key=key(bucket, email), title=title(bucket), install=install, needs=needs)
        self._google = google
        self._bucket = bucket
        self._email = email
        self._patience = patience
        self._wanted = policies.on_bucket(email)

    def read(self) -> Observed[Identity] | None:
        policy = self._google.storage.policy(self._bucket)
        if policy is None or not self._traces(policy):
            return None
        return self._observed(policy)

    def diff(self, observed: Observed[Identity]) -> Sequence[FieldChange]:
        policy: Policy = observed.state
        return policies.missing(policy, self._wanted, self._email)

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

    def _write(self, *, grant: bool) -> Observed[Identity]:
        def change() -> None:
            policy = self._google.storage.policy(self._bucket)
            if policy is None:
                return
            ghosts = policy.ghosts(self._email)
            revised = (
                policy.changed(add=self._wanted, remove=ghosts)
                if grant
                else policy.changed(remove=[*self._wanted, *ghosts])
            )
            self._google.storage.set_policy(self._bucket, revised)

        policies.revise(
            self._google.run,
            change,
            what=f"the policy of the bucket {self._bucket}",
            patience=self._patience,
        )
        policy = self._google.storage.policy(self._bucket)
        if policy is None and grant:
            raise errors.CliError(
                errors.BUCKET_MISSING,
                f"The bucket {self._bucket} went away while its policy was changed",
                fix="run the same command again: it makes the bucket anew",
            )
        return self._observed(policy or Policy(()))

    def _traces(self, policy: Policy) -> bool:
        return bool(policy.grants & set(self._wanted) or policy.ghosts(self._email))

    def _observed(self, policy: Policy) -> Observed[Identity]:
        return Observed(
            id=f"gs://{self._bucket}#{self._email}",
            output=Identity(self._email, self._email),
            owner=self.install,
            state=policy,
        )


class AdoptedAccess(AdoptedResource[Identity]):
    """The account's roles on a bucket of the user's: looked for, never granted by us."""

    kind: ClassVar[str] = "gcs-bucket-access"

    def __init__(
        self,
        google: Google,
        install: Install,
        bucket: str,
        email: str,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(key=key(bucket, email), title=title(bucket), install=install, needs=needs)
        self._google = google
        self._bucket = bucket
        self._email = email

    def read(self) -> Observed[Identity] | None:
        try:
            policy = self._google.storage.policy(self._bucket)
        except CloudFailure as failure:
            if not failure.denied:
                raise
            # Who may not look does not know; the proof by use will tell.
            return self._observed(())
        lacking = [
            grant
            for grant in policies.on_bucket(self._email)
            if policy is not None and not _suffices(policy, grant.role, grant.member)
        ]
        commands = [
            f"gcloud storage buckets add-iam-policy-binding gs://{self._bucket} "
            f"--member={grant.member} --role={grant.role}"
            for grant in lacking
        ]
        if not lacking:
            return self._observed(())
        roles = ", ".join(grant.role for grant in lacking)
        return self._observed((Unfit(f"{self._email} lacks {roles} on it", " && ".join(commands)),))

    def _observed(self, unfit: tuple[Unfit, ...]) -> Observed[Identity]:
        return Observed(
            id=f"gs://{self._bucket}#{self._email}",
            output=Identity(self._email, self._email),
            unfit=unfit,
        )


# Roles that hold more than what is asked for.
_WIDER = frozenset({"roles/storage.admin", "roles/owner"})


def _suffices(policy: Policy, role: str, member: str) -> bool:
    return any(
        grant.member == member and (grant.role == role or grant.role in _WIDER)
        for grant in policy.grants
    )
