"""STS: who am I, and becoming somebody else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
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
from anyscale_k8s_cli.sandbox.aws.propagation import Propagation
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
        trust = self.propagation.trust(role) if role is not None else None
        token, now = inquiry["WebIdentityToken"], self.clock()
        identity = admit_web_identity(self._provider, trust, token, self.issuer_keys, now)
        if role is None:
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

    def _provider(self, issuer: str) -> Any | None:
        provider = self.account.oidc_provider(issuer)
        known = provider is not None and self.propagation.knows_provider(provider)
        return provider if known else None

    def _may_assume(self, keys: Keys, role: Any) -> bool:
        """Trusting a principal by name is enough; trusting the account needs its policy too."""
        seen = self.propagation.trust(role)
        trust = [seen] if seen is not None else []
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
