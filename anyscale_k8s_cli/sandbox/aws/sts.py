"""STS: who am I, and becoming somebody else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.policy import Decision, Question, decide
from anyscale_k8s_cli.sandbox.aws.principals import (
    Clock,
    Keys,
    Principals,
    credentials,
    session_policies,
)
from anyscale_k8s_cli.sandbox.aws.service import Answer, Inquiry, Operation
from anyscale_k8s_cli.sandbox.aws.trust import (
    WEB_IDENTITY,
    IssuerKeys,
    admit_web_identity,
    not_authorized,
)

_ROLE_ARN = re.compile(r"arn:[\w-]+:iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]+)")
_DEFAULT_SECONDS = 3600
# Condition keys that hold for a caller in its own account.
_ROOT = "arn:{partition}:iam::{account}:root"


@dataclass
class Propagation:
    """New roles reach STS late: the first attempts to assume one are refused.

    Counted per role and not timed, so that what a run meets does not depend on
    the speed of the machine.
    """

    refused_attempts: int = 1
    _attempts: dict[str, int] = field(default_factory=dict)

    def settled(self, role_id: str) -> None:
        """The role is old: it was there when the world began."""
        self._attempts[role_id] = self.refused_attempts

    def admits(self, role_id: str) -> bool:
        seen = self._attempts.get(role_id, 0)
        if seen >= self.refused_attempts:
            return True
        self._attempts[role_id] = seen + 1
        return False


@dataclass(frozen=True)
class Sts:
    account: Account
    principals: Principals
    issuer_keys: IssuerKeys
    clock: Clock
    propagation: Propagation

    def operations(self) -> Mapping[str, Operation]:
        return {
            "GetCallerIdentity": self.get_caller_identity,
            "AssumeRole": self.assume_role,
            "AssumeRoleWithWebIdentity": self.assume_role_with_web_identity,
        }

    def get_caller_identity(self, inquiry: Inquiry) -> Answer:
        caller = inquiry.signer.principal
        return {"UserId": caller.id, "Account": caller.account, "Arn": caller.arn}

    def assume_role(self, inquiry: Inquiry) -> Answer:
        role = self._role(inquiry["RoleArn"])
        if role is None or not self._may_assume(inquiry.signer, role):
            raise AwsError(
                403,
                "AccessDenied",
                f"User: {inquiry.signer.principal.arn} is not authorized to perform: "
                f"sts:AssumeRole on resource: {inquiry['RoleArn']}",
            )
        return self._session(role, inquiry)

    def assume_role_with_web_identity(self, inquiry: Inquiry) -> Answer:
        match = _ROLE_ARN.fullmatch(inquiry["RoleArn"])
        if match is None:
            raise AwsError(400, "ValidationError", "Request ARN is invalid")
        role = self._role(inquiry["RoleArn"])
        identity = admit_web_identity(
            self.account, role, inquiry["WebIdentityToken"], self.issuer_keys, self.clock()
        )
        if role is None or not self.propagation.admits(role.id):
            raise not_authorized(WEB_IDENTITY)
        return {
            **self._session(role, inquiry),
            "SubjectFromWebIdentityToken": identity.subject,
            "Audience": ",".join(identity.audiences),
            "Provider": identity.provider_arn,
        }

    def _role(self, arn: str) -> Any | None:
        match = _ROLE_ARN.fullmatch(arn)
        role = self.account.role(match.group(2)) if match else None
        return role if role is not None and role.arn == arn else None

    def _may_assume(self, keys: Keys, role: Any) -> bool:
        """Trusting a principal by name is enough; trusting the account needs its policy too."""
        trust = [self.account.trust(role)]
        caller = keys.principal
        question = Question("sts:AssumeRole", role.arn, caller.context())
        own = self.principals.grants(keys).decide(question)
        if own is Decision.EXPLICIT_DENY:
            return False

        def trusted(*names: str) -> Decision:
            asked = Question(
                question.action, question.resource, question.context, {"AWS": frozenset(names)}
            )
            return decide(trust, asked)

        root = _ROOT.format(partition=self.account.partition, account=caller.account)
        if trusted(caller.arn, caller.entity) is Decision.ALLOWED:
            return True
        by_account = trusted(caller.arn, caller.entity, root, caller.account)
        return by_account is Decision.ALLOWED and own is Decision.ALLOWED

    def _session(self, role: Any, inquiry: Inquiry) -> dict[str, Any]:
        seconds = int(inquiry.get("DurationSeconds") or _DEFAULT_SECONDS)
        longest = int(role.max_session_duration or _DEFAULT_SECONDS)
        if seconds > longest:
            raise AwsError(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )
        keys = self.principals.open_session(
            role, inquiry["RoleSessionName"], seconds, session_policies(inquiry.parameters)
        )
        return {
            "Credentials": credentials(keys),
            "AssumedRoleUser": {
                "AssumedRoleId": keys.principal.id,
                "Arn": keys.principal.arn,
            },
            "PackedPolicySize": 0,
        }
