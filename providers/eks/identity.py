"""An identity of pods: a role that we make for one service account, or one the user has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Identity
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.holders import OPERATOR, Holder
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.provider import PolicyDocument
from anyscale_k8s_cli.providers.eks import policies, trust
from anyscale_k8s_cli.providers.eks.arns import Arn
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.sdk.iam import ALREADY_THERE, Answer, NewRole, RoleDescription
from anyscale_k8s_cli.resource import (
    OR_IDENTITY,
    OTHER_NAME,
    AdoptedResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
    differences,
    stale,
)
from anyscale_k8s_cli.spec import CloudSpec

NAME_LIMIT = 64
DEFAULT_PATH = "/anyscale-k8s/"
# IAM answers from copies that are seconds old.
SETTLE_SECONDS = 30.0
_ARN_PARTS = 6

_TRUST = "trust policy"
_POLICY = "permissions policy"
_BOUNDARY = "permissions boundary"
_PATH = "path"


def default_name(install: Install, holder: Holder = OPERATOR) -> str:
    return install.name(limit=NAME_LIMIT, suffix=f"-{holder.what}")


def role_name(spec: CloudSpec, install: Install, holder: Holder = OPERATOR) -> str:
    return spec.rules.names.get(holder.named("role")) or default_name(install, holder)


def default_path(cloud: str) -> str:
    """The path below which the roles of a cloud are listed."""
    return f"{DEFAULT_PATH}{cloud}/"


def assumed(role: str, held: str) -> bool:
    """Whether the ARN that somebody was told of himself is of a session of the role.

    Such an ARN (`…:assumed-role/NAME/SESSION`) has the role's name without its path.
    """
    wanted, found = role.split(":"), held.split(":")
    if len(wanted) != _ARN_PARTS or len(found) != _ARN_PARTS:
        return role == held
    kind, _, rest = found[5].partition("/")
    name = rest.partition("/")[0] if kind == "assumed-role" else rest.rpartition("/")[2]
    return (wanted[1], wanted[4], wanted[5].rpartition("/")[2]) == (found[1], found[4], name)


def key(name: str) -> str:
    return f"aws:iam-role/{name}"


@dataclass(frozen=True)
class RoleWishes:
    """What the role should be. `policy` may need what is known only once others were read.

    `path` is where it is made; where one is that is there matters only if the user `placed` it.
    """

    name: str
    path: str
    trust: policies.Policy
    policy: Callable[[], policies.Policy]
    boundary: str | None
    tags: Mapping[str, str]
    dropped_tags: Mapping[str, str] = field(default_factory=dict)
    holder: Holder = OPERATOR
    placed: bool = False


@dataclass(frozen=True)
class RoleState:
    role: RoleDescription
    policy: policies.Policy | None


class Role(Resource[Identity]):
    """Ours, found by name and locator."""

    kind: ClassVar[str] = "iam-role"
    way_around: ClassVar[str] = OR_IDENTITY

    def __init__(
        self,
        aws: Aws,
        install: Install,
        wishes: RoleWishes,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=key(wishes.name), title=f"IAM role {wishes.name}", install=install, needs=needs
        )
        self._aws = aws
        self._wishes = wishes

    @property
    def name(self) -> str:
        return self._wishes.name

    @property
    def output(self) -> Identity:
        """Its ARN follows from path and name, so it is known before the role is there."""
        if self.observed is not None:
            return self.observed.output
        arn = self._aws.caller.iam(f"role{self._wishes.path}{self.name}")
        return Identity(arn, arn)

    def read(self) -> Observed[Identity] | None:
        role, policy = side_by_side(
            lambda: self._aws.iam.role(self.name),
            lambda: self._aws.iam.inline_policy(self.name, self._wishes.holder.account),
        )
        if role is None:
            return None
        return Observed(
            id=role.arn,
            output=Identity(role.arn, role.arn),
            owner=Install.from_locator(role.tags),
            state=RoleState(role, policy),
        )

    def diff(self, observed: Observed[Identity]) -> Sequence[FieldChange]:
        state: RoleState = observed.state
        wishes = self._wishes
        changes = differences("tag", state.role.tags, wishes.tags, wishes.dropped_tags)
        if not policies.same(state.role.trust, wishes.trust):
            changes.append(_trust_change(state.role.trust, wishes.trust))
        if state.policy is None or not policies.same(state.policy, wishes.policy()):
            there: policies.Policy = state.policy or {}
            changes.append(FieldChange(_POLICY, *policies.unlike(there, wishes.policy())))
        # Without a wish, a boundary that the company has put there stays.
        if wishes.boundary and state.role.boundary != wishes.boundary:
            changes.append(FieldChange(_BOUNDARY, state.role.boundary, wishes.boundary))
        if wishes.placed and state.role.path != wishes.path:
            stays = f"leave --role-path out, or give --role-path {state.role.path}"
            changes.append(FieldChange(_PATH, state.role.path, wishes.path, fixed=stays))
        return changes

    def create(self) -> Observed[Identity]:
        wishes = self._wishes
        new = NewRole(
            name=wishes.name,
            path=wishes.path,
            trust=wishes.trust,
            description=f"Anyscale {wishes.holder.what} of cloud {self.install.cloud}",
            boundary=wishes.boundary,
            tags=wishes.tags,
        )
        try:
            self._aws.iam.create_role(new)
        except CloudFailure as failure:
            if failure.api_code != ALREADY_THERE:
                raise
        observed = self._settled()
        if observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The role name {self.name} is taken",
                cause=f"{observed.id} is not ours",
                fix=wishes.holder.past("role", observed.id),
            )
        return self.update(observed, self.diff(observed))

    def update(
        self, observed: Observed[Identity], changes: Sequence[FieldChange]
    ) -> Observed[Identity]:
        if not changes:
            return observed
        iam, wishes = self._aws.iam, self._wishes
        fields = {change.field for change in changes}
        if fields - {_TRUST, _POLICY, _BOUNDARY}:
            iam.tag_role(self.name, wishes.tags)
        if gone := stale(observed.state.role.tags, wishes.tags, wishes.dropped_tags):
            iam.untag_role(self.name, [key for key, _ in gone])
        if _BOUNDARY in fields and wishes.boundary:
            iam.set_boundary(self.name, wishes.boundary)
        if _TRUST in fields:
            iam.set_trust(self.name, wishes.trust)
        if _POLICY in fields:
            iam.put_inline_policy(self.name, wishes.holder.account, wishes.policy())
        return self._settled()

    def delete(self, observed: Observed[Identity]) -> None:
        self._aws.iam.delete_role(self.name)
        self._aws.run.wait_gone(
            lambda: self._aws.iam.role(self.name), by="IAM", what=self.title, timeout=SETTLE_SECONDS
        )

    def ready(self, observed: Observed[Identity]) -> Observed[Identity]:
        """It is proven by use, once there is a token to use it with."""
        return observed

    def grants(self, observed: Observed[Identity]) -> Sequence[PolicyDocument]:
        state: RoleState = observed.state
        trusted = policies.document(_TRUST, state.role.trust)
        return (trusted, *([policies.document(_POLICY, state.policy)] if state.policy else ()))

    def _settled(self) -> Observed[Identity]:
        return self._aws.run.wait_shown(
            self.read, by="IAM", what=self.title, timeout=SETTLE_SECONDS
        )


class WorkloadRole(Role):
    """Of Ray's pods, where they have one of their own: no option names one to use instead."""

    way_around: ClassVar[str] = OTHER_NAME


def _trust_change(found: policies.Policy, wanted: policies.Policy) -> FieldChange:
    """Whom it admits and should, where that is the difference."""
    admitted = ", ".join(trust.subjects(found)) or "no service account"
    wished = ", ".join(trust.subjects(wanted))
    if admitted == wished:
        return FieldChange(_TRUST, *policies.unlike(found, wanted))
    return FieldChange(_TRUST, f"for {admitted}", f"for {wished}")


@dataclass(frozen=True)
class RoleUse:
    """What a role that the user named must admit (where that is known), and allow."""

    bearer: trust.Bearer | None
    bucket_arn: str


class AdoptedRole(AdoptedResource[Identity]):
    """The user's own."""

    kind: ClassVar[str] = "iam-role"

    def __init__(
        self,
        aws: Aws,
        install: Install,
        arn: str,
        use: RoleUse,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        self._arn = Arn.parse(arn)
        super().__init__(
            key=key(self._arn.name),
            title=f"IAM role {self._arn.name}",
            install=install,
            needs=needs,
        )
        self._aws = aws
        self._use = use

    def read(self) -> Observed[Identity] | None:
        account = self._aws.caller.account
        if self._arn.account != account:
            reason = f"it is in the account {self._arn.account}, the cluster in {account}"
            return self._observed((Unfit(reason, "name a role of the cluster's account"),), None)
        role = self._aws.iam.role(self._arn.name)
        if role is None or role.arn != str(self._arn):
            return None
        return self._observed((*self._trust_unfit(role), *self._policy_unfit(role)), role)

    def grants(self, observed: Observed[Identity]) -> Sequence[PolicyDocument]:
        """Whom it lets in; what it may is in policies that are not looked for."""
        role: RoleDescription | None = observed.state
        return () if role is None else (policies.document(_TRUST, role.trust),)

    def _trust_unfit(self, role: RoleDescription) -> tuple[Unfit, ...]:
        bearer = self._use.bearer
        if bearer is None:
            return ()  # whom it should admit is known once the cluster is
        found = trust.admission(role.trust, bearer)
        if found.admitted:
            return ()
        return (
            Unfit(
                f"its trust policy does not admit {bearer.who()} ({'; '.join(found.evidence)})",
                f"add to its trust policy: {json.dumps(bearer.statement())}",
            ),
        )

    def _policy_unfit(self, role: RoleDescription) -> tuple[Unfit, ...]:
        """What the simulator denies for certain; where it cannot tell, the proof by use does."""
        bucket = self._use.bucket_arn
        asked = ((policies.BUCKET_ACTIONS, bucket), (policies.OBJECT_ACTIONS, f"{bucket}/*"))
        try:
            verdicts = [
                verdict
                for actions, resource in asked
                for verdict in self._aws.iam.simulate(role.arn, actions, resource)
            ]
        except CloudFailure as failure:
            if failure.denied:
                return ()
            raise
        denied = [item for item in verdicts if item.answer is Answer.DENIED]
        if not denied:
            return ()
        refused = {item.action for item in denied}
        statements = [
            {"Effect": "Allow", "Action": lacking, "Resource": resource}
            for actions, resource in asked
            if (lacking := [action for action in actions if action in refused])
        ]
        if not any(item.explicit for item in denied) and self._bucket_may_allow():
            return ()
        return (
            Unfit(
                f"its policies do not allow {', '.join(item.action for item in denied)} "
                f"on {bucket}",
                f"add to its policies: {json.dumps(statements)}",
            ),
        )

    def _bucket_may_allow(self) -> bool:
        """A bucket's own policy can allow what the role's do not, and is not simulated."""
        try:
            return self._aws.s3.has_policy(Arn.parse(self._use.bucket_arn).name)
        except CloudFailure as failure:
            if failure.api_code == "NoSuchBucket":
                return False
            if failure.denied:
                return True
            raise

    def _observed(
        self, unfit: tuple[Unfit, ...], role: RoleDescription | None
    ) -> Observed[Identity]:
        arn = str(self._arn)
        return Observed(id=arn, output=Identity(arn, arn), unfit=unfit, state=role)
