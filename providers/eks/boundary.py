"""Whether a permissions boundary leaves the roles what they need: IAM's simulator is asked.

A role may only do what its own policy and its boundary both allow, so one that forbids the
bucket is as good as no policy at all, and shows only when the role is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyscale_k8s_cli.checks import Finding, Status, passed
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.eks import policies
from anyscale_k8s_cli.providers.eks.aws import Aws
from anyscale_k8s_cli.providers.eks.sdk.iam import Answer, Verdict

# Of a role's policy, what it can do without: uploads in parts are then not cleaned up.
_NEEDED = {*policies.BUCKET_ACTIONS, *policies.OBJECT_ACTIONS, *policies.KEY_ACTIONS}


@dataclass(frozen=True)
class Bounded:
    """A role that is to have the boundary, and the policy that it gets."""

    role: str
    policy: policies.Policy


@dataclass(frozen=True)
class _Said:
    role: str
    resource: str
    verdict: Verdict

    def __str__(self) -> str:
        return f"IAM role {self.role}: {self.verdict.action} on {self.resource}"


def leaves_enough(aws: Aws, arn: str, roles: Callable[[], Sequence[Bounded]]) -> Finding:
    """`roles` is asked for late: a policy may name a key that must be looked up."""
    try:
        version = aws.iam.default_version(arn)
    except CloudFailure as failure:
        if failure.denied:
            return Finding(Status.UNKNOWN, "you may not ask")
        raise
    if version is None:
        return Finding(
            Status.FAIL,
            f"there is no policy {arn}",
            fix="aws iam list-policies --scope Local\n"
            "it lists your own: give --permissions-boundary the ARN of a policy that is there",
        )
    try:
        said = _simulated(aws, aws.iam.policy_version(arn, version), roles())
    except CloudFailure as failure:
        text = f"whether {arn} leaves the roles what they need cannot be simulated: {failure.cause}"
        return Finding(Status.UNKNOWN, text, failure.evidence)
    denied = [item for item in said if item.verdict.answer is Answer.DENIED]
    if denied:
        return _forbidden(arn, denied)
    unsure = [item for item in said if item.verdict.answer is Answer.UNKNOWN]
    if unsure:
        return Finding(
            Status.UNKNOWN,
            f"what {arn} says of {len(unsure)} actions depends on what is known only then",
            tuple(f"unknown: {item}: {', '.join(item.verdict.missing)}" for item in unsure),
        )
    return passed(arn)


def _simulated(aws: Aws, boundary: policies.Policy, roles: Sequence[Bounded]) -> list[_Said]:
    context = {"aws:RequestedRegion": aws.region, "aws:ResourceAccount": aws.caller.account}

    def one(bounded: Bounded, statement: Mapping[str, Any]) -> list[_Said]:
        resource = statement["Resource"]
        verdicts = aws.iam.simulate_bounded(
            bounded.policy, boundary, statement["Action"], resource, context
        )
        return [_Said(bounded.role, resource, verdict) for verdict in verdicts]

    asked = [
        partial(one, bounded, statement)
        for bounded in roles
        for statement in bounded.policy["Statement"]
    ]
    return [item for found in side_by_side(*asked) for item in found]


def _forbidden(arn: str, denied: Sequence[_Said]) -> Finding:
    """What the role can do without is a warning, as it is among the rights of who sets up."""
    stops = any(item.verdict.action in _NEEDED for item in denied)
    actions: dict[str, list[str]] = {}
    for item in denied:
        named = actions.setdefault(item.resource, [])
        if item.verdict.action not in named:
            named.append(item.verdict.action)
    told = "; ".join(f"{', '.join(names)} on {resource}" for resource, names in actions.items())
    wanted = [
        {"Effect": "Allow", "Action": names, "Resource": resource}
        for resource, names in actions.items()
    ]
    steps = [f"have the owner of {arn} add to its statements: {json.dumps(wanted)}"]
    if any(item.verdict.explicit for item in denied):
        steps = [f"have the owner of {arn} take the statement out of it that denies this", *steps]
    return Finding(
        Status.FAIL if stops else Status.WARN,
        f"{arn} forbids the roles what their policies allow: {told}",
        tuple(map(str, denied)),
        "\n".join((*steps, "or give --permissions-boundary another policy")),
    )
