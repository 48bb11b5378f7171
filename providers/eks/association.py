"""The association by which EKS Pod Identity gives a service account its role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Identity
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import HOLDERS, OPERATOR
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.sdk.eks import ALREADY_THERE, Association
from anyscale_k8s_cli.resource import (
    OTHER_NAMESPACE,
    AdoptedResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
    differences,
    stale,
)

KIND = "pod-identity-association"
# EKS answers from copies that are seconds old.
SETTLE_SECONDS = 30.0
_ROLE = "role"
_SESSION_TAGS = "session tags"


def key(cluster: str, namespace: str, account: str = OPERATOR.account) -> str:
    return f"aws:{KIND}/{cluster}/{namespace}/{account}"


def title(namespace: str, account: str = OPERATOR.account) -> str:
    return f"EKS Pod Identity of {namespace}/{account}"


@dataclass(frozen=True)
class AssociationWishes:
    tags: Mapping[str, str]
    dropped_tags: Mapping[str, str] = field(default_factory=dict)
    account: str = OPERATOR.account


class PodIdentity(Resource[str]):
    """Ours, found by the service account, of which there is one at most, and the locator.

    Its output is its ARN. `role` is what the service account is to have; None where that
    is of no matter any more.
    """

    kind: ClassVar[str] = KIND
    way_around: ClassVar[str] = OTHER_NAMESPACE

    def __init__(
        self,
        aws: Aws,
        install: Install,
        cluster: str,
        role: Resource[Identity] | None,
        wishes: AssociationWishes,
    ) -> None:
        super().__init__(
            key=key(cluster, install.namespace, wishes.account),
            title=title(install.namespace, wishes.account),
            install=install,
            needs=() if role is None else (role,),
        )
        self._aws = aws
        self._cluster = cluster
        self._role = role
        self._wishes = wishes

    def read(self) -> Observed[str] | None:
        found = self._aws.eks.association(
            self._cluster, self.install.namespace, self._wishes.account
        )
        if found is None:
            return None
        owner = Install.from_locator(found.tags)
        return Observed(id=found.arn, output=found.arn, owner=owner, state=found)

    def diff(self, observed: Observed[str]) -> Sequence[FieldChange]:
        found: Association = observed.state
        changes = differences("tag", found.tags, self._wishes.tags, self._wishes.dropped_tags)
        if found.role_arn != self._role_arn:
            changes.append(FieldChange(_ROLE, found.role_arn, self._role_arn))
        if not found.session_tags:
            # The role's trust knows by them for which pod it is asked.
            changes.append(FieldChange(_SESSION_TAGS, "disabled", "enabled"))
        return changes

    def create(self) -> Observed[str]:
        aws, namespace = self._aws, self.install.namespace

        def attempt() -> None:
            aws.eks.create_association(
                self._cluster,
                namespace,
                self._wishes.account,
                self._role_arn,
                self._wishes.tags,
            )

        try:
            aws.run.retry(
                attempt,
                retriable=_role_unseen,
                what=f"EKS to know {self._role_arn} and whom it trusts",
                timeout=SETTLE_SECONDS,
            )
        except CloudFailure as failure:
            if failure.api_code != ALREADY_THERE:
                raise
        observed = self._settled()
        if observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"{self.title} appeared meanwhile and is not ours",
                fix="run the same command again and look at the plan",
            )
        return self.update(observed, self.diff(observed))

    def update(self, observed: Observed[str], changes: Sequence[FieldChange]) -> Observed[str]:
        if not changes:
            return observed
        eks, found, wishes = self._aws.eks, observed.state, self._wishes
        fields = {change.field for change in changes}
        if fields & {_ROLE, _SESSION_TAGS}:
            eks.update_association(self._cluster, found.id, self._role_arn)
        if differences("tag", found.tags, wishes.tags):
            eks.tag(found.arn, wishes.tags)
        if gone := stale(found.tags, wishes.tags, wishes.dropped_tags):
            eks.untag(found.arn, [name for name, _ in gone])
        return self._settled()

    def delete(self, observed: Observed[str]) -> None:
        self._aws.eks.delete_association(self._cluster, observed.state.id)
        self._aws.run.wait_gone(self.read, by="EKS", what=self.title, timeout=SETTLE_SECONDS)

    def ready(self, observed: Observed[str]) -> Observed[str]:
        """Whether pods get it is seen by the first that is made."""
        return observed

    @property
    def _role_arn(self) -> str:
        return "" if self._role is None else self._role.output.registered

    def _settled(self) -> Observed[str]:
        return self._aws.run.wait_shown(
            self.read, by="EKS", what=self.title, timeout=SETTLE_SECONDS
        )


class AdoptedPodIdentity(AdoptedResource[str]):
    """The user's own, for a role that is the user's too."""

    kind: ClassVar[str] = KIND

    def __init__(self, aws: Aws, install: Install, cluster: str, role: Resource[Identity]) -> None:
        super().__init__(
            key=key(cluster, install.namespace),
            title=title(install.namespace),
            install=install,
            needs=(role,),
        )
        self._aws = aws
        self._cluster = cluster
        self._role = role

    @property
    def how_to_bring(self) -> str:
        return (
            f"aws eks create-pod-identity-association --cluster-name {self._cluster} "
            f"--region {self._aws.region} --namespace {self.install.namespace} "
            f"--service-account {OPERATOR.account} "
            f"--role-arn {self._role.output.registered}"
        )

    def read(self) -> Observed[str] | None:
        found = self._aws.eks.association(self._cluster, self.install.namespace, OPERATOR.account)
        if found is None:
            return None
        return Observed(id=found.arn, output=found.arn, unfit=tuple(self._unfit(found)))

    def _unfit(self, found: Association) -> list[Unfit]:
        wanted = self._role.output.registered
        if found.role_arn == wanted:
            return []
        update = (
            f"aws eks update-pod-identity-association --cluster-name {self._cluster} "
            f"--region {self._aws.region} --association-id {found.id} --role-arn {wanted}"
        )
        return [Unfit(f"it is for the role {found.role_arn}, not {wanted}", update)]


def of_install(aws: Aws, install: Install, cluster: str) -> list[tuple[str, AssociationWishes]]:
    """What teardown finds of an install: those with its locator, which should be as they are.

    Each with the ARN of its role.
    """
    found = []
    for holder in HOLDERS:
        there = aws.eks.association(cluster, install.namespace, holder.account)
        owner = None if there is None else Install.from_locator(there.tags)
        if there is not None and owner is not None and owner.id == install.id:
            found.append((there.role_arn, AssociationWishes(there.tags, account=holder.account)))
    return found


def _role_unseen(problem: BaseException) -> bool:
    """What EKS says of a role, or of its trust, that IAM has not told it of yet."""
    return (
        isinstance(problem, CloudFailure)
        and problem.api_code == "InvalidParameterException"
        and any(words in problem.cause for words in ("does not exist", "Trust policy"))
    )
