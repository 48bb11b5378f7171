"""The service account of pods: one that we make for them, or one that the user has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR, WORKLOADS, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.gcs.sdk.failures import ABSENT, EXISTS
from anyscale_k8s_cli.providers.gcs.sdk.policy import Grant, Policy
from anyscale_k8s_cli.providers.gke import codes, policies, tags
from anyscale_k8s_cli.providers.gke.google import Google, may_see
from anyscale_k8s_cli.providers.gke.sdk.iam import UNSEEN, ServiceAccount, project_of
from anyscale_k8s_cli.resource import (
    OR_IDENTITY,
    OTHER_NAME,
    AdoptedResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
)

# https://cloud.google.com/iam/docs/service-accounts-create
ID_LIMIT = 30
SETTLE_SECONDS = 60.0
KIND = "service-account"
_LOCATOR = "description"
# There is no room for more words.
_SUFFIXES = {OPERATOR: "", WORKLOADS: "-ray"}


def longest_prefix(holder: Holder = OPERATOR) -> int:
    """How long a prefix of names may be for an account to have its usual one."""
    return ID_LIMIT - len("-12345678-12345678" + _SUFFIXES[holder])


def default_id(install: Install, holder: Holder = OPERATOR) -> str:
    """The name before the `@`; empty where the prefix leaves no room for one."""
    if len(install.name_prefix) > longest_prefix(holder):
        return ""
    return install.name(limit=ID_LIMIT, suffix=_SUFFIXES[holder])


def key(email: str) -> str:
    return f"gcp:service-account/{email.partition('@')[0]}"


def title(email: str) -> str:
    return f"service account {email.partition('@')[0]}"


@dataclass(frozen=True)
class AccountState:
    account: ServiceAccount
    policy: Policy


@dataclass(frozen=True)
class AccountWishes:
    """What an account should be: its id, and the twin of whom. `patience` is in seconds."""

    id: str
    pool: str
    patience: float
    holder: Holder = OPERATOR


class PodAccount(Resource[str]):
    """Ours, found by name and locator; who may act as it is a part of it. Output: the e-mail."""

    kind: ClassVar[str] = KIND
    way_around: ClassVar[str] = OR_IDENTITY

    def __init__(
        self,
        google: Google,
        install: Install,
        wishes: AccountWishes,
    ) -> None:
        self.email = google.email(wishes.id)
        super().__init__(key=key(self.email), title=title(self.email), install=install)
        self._google = google
        self._wishes = wishes
        self._wanted = policies.on_account(
            self.email, wishes.pool, install.namespace, wishes.holder
        )

    @property
    def output(self) -> str:
        """It follows from the name, so it is known before the account is there."""
        return self.email

    def read(self) -> Observed[str] | None:
        account, policy = side_by_side(self._account, self._policy)
        if account is None:
            return None
        return Observed(
            id=account.email,
            output=self.email,
            owner=tags.owner_by_description(account.description, self._google.project),
            state=AccountState(account, policy or Policy(())),
        )

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        state: AccountState = observed.state
        changes = policies.missing(state.policy, self._wanted, self.email)
        wanted = tags.description(self.install)
        # Without the cluster's UID known, the one that is there stays.
        if self.install.cluster_uid and state.account.description != wanted:
            changes.append(FieldChange(_LOCATOR, state.account.description, wanted))
        return changes

    def create(self) -> Observed[str]:
        wishes = self._wishes
        title_for_people = f"Anyscale {wishes.holder.what} of cloud {self.install.cloud}"
        try:
            self._google.iam.create(
                wishes.id, title_for_people[:100], tags.description(self.install)
            )
        except CloudFailure as failure:
            if failure.api_code != EXISTS:
                raise
        observed = self._settled()
        if observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The service account name {wishes.id} is taken",
                cause=f"{observed.id} is not ours",
                fix=wishes.holder.past(KIND, observed.id),
            )
        return self.update(observed, self.diff(observed))

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        if not changes:
            return observed
        fields = {change.field for change in changes}
        if _LOCATOR in fields:
            self._google.iam.describe(self.email, tags.description(self.install))
        if fields - {_LOCATOR}:
            self._grant()
        return self._settled()

    def delete(self, observed: Observed[str]) -> None:
        self._google.iam.delete(self.email)
        self._google.run.wait_gone(self._account, by="IAM", what=self.title, timeout=SETTLE_SECONDS)

    def ready(self, observed: Observed[str]) -> Observed[str]:
        """It is proven by use, once there is a token to use it with."""
        return observed

    def grants(self, observed: Observed[str]) -> Sequence[PolicyDocument]:
        """All of its policy: whoever else may act as it, too."""
        state: AccountState = observed.state
        return (policies.document(f"who may act as {self.email}", state.policy.bindings),)

    def _grant(self) -> None:
        iam = self._google.iam
        try:
            policies.revise(
                self._google.run,
                lambda: iam.policy(self.email),
                lambda policy: iam.set_policy(self.email, policy),
                lambda policy: policy.changed(add=self._wanted, remove=policy.ghosts(self.email)),
                what=f"the policy of {self.email}",
                patience=self._wishes.patience,
            )
        except CloudFailure as failure:
            if failure.api_code != ABSENT:
                raise
            raise errors.CliError(
                codes.ACCOUNT_MISSING,
                f"There is no service account {self.email}",
                cause="it went away while its policy was changed",
                evidence=failure.evidence,
                fix="run the same command again: it makes the account anew",
            ) from failure

    def _account(self) -> ServiceAccount | None:
        return self._google.iam.account(self.email)

    def _policy(self) -> Policy | None:
        try:
            return self._google.iam.policy(self.email)
        except CloudFailure as failure:
            if failure.api_code == ABSENT:
                return None
            raise

    def _settled(self) -> Observed[str]:
        return self._google.run.wait_shown(
            self.read, by="IAM", what=self.title, timeout=SETTLE_SECONDS
        )


class WorkloadAccount(PodAccount):
    """Of Ray's pods, where they have one of their own: no option names one to use instead."""

    way_around: ClassVar[str] = OTHER_NAME


class AdoptedAccount(AdoptedResource[str]):
    """The user's own."""

    kind: ClassVar[str] = KIND

    def __init__(self, google: Google, install: Install, email: str, pool: str) -> None:
        super().__init__(key=key(email), title=title(email), install=install)
        self._google = google
        self.email = email
        self._wanted = policies.on_account(email, pool, install.namespace)

    @property
    def output(self) -> str:
        return self.email

    def read(self) -> Observed[str] | None:
        """Who may not look does not know; the proof by use will tell."""
        account = may_see(lambda: self._google.iam.account(self.email), UNSEEN)
        if account is None:
            return None
        if account.disabled:
            fix = f"gcloud iam service-accounts enable {self.email}"
            return self._observed((Unfit("it is disabled", fix),))
        policy = may_see(lambda: self._google.iam.policy(self.email), None)
        lacking = [
            grant
            for grant in self._wanted
            if policy is not None and policies.lacks((policy,), grant)
        ]
        if lacking:
            # Rights may come from the project as well.
            above = may_see(lambda: self._google.projects.policy(project_of(self.email)), None)
            lacking = [grant for grant in lacking if above and policies.lacks((above,), grant)]
        return self._observed(
            tuple(
                Unfit(_told(grant, policy), policies.command(self.email, grant))
                for grant in lacking
            )
        )

    def _observed(self, unfit: tuple[Unfit, ...]) -> Observed[str]:
        return Observed(id=self.email, output=self.email, unfit=unfit)


def _told(grant: Grant, policy: Policy | None) -> str:
    near = policies.nearly(policy, grant) if policy is not None else []
    instead = f", which {', '.join(near)} has" if near else ""
    return f"{grant.member} lacks {grant.role} on it{instead}"
