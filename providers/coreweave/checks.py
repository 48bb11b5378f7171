"""Checks of the CoreWeave side: what would stop a setup after it has begun."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.providers.coreweave import declared, rights
from anyscale_k8s_cli.providers.coreweave.cloud_side import Built
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.federation import ROLE
from anyscale_k8s_cli.providers.coreweave.policy import EXCHANGE
from anyscale_k8s_cli.providers.coreweave.sdk.storage import Statement


def checks(coreweave: CoreWeave, built: Built) -> list[BoundCheck]:
    """Of the store nothing is asked: its keys may still be to be made, and prove it by use."""
    return [
        declared.COREWEAVE_POLICY_DENIES.bind(partial(_denies, coreweave, built)),
        declared.COREWEAVE_PERMISSIONS.bind(
            partial(rights.to_set_up, coreweave, built.side.resources)
        ),
    ]


def _denies(coreweave: CoreWeave, built: Built) -> Finding:
    policies = coreweave.storage.policies()
    principals = [coreweave.principal, *([built.pods] if built.pods else [])]
    found = [
        f"{policy.name}: {statement.name}"
        for policy in policies
        for statement in policy.statements
        if statement.effect == "Deny"
        and any(_meets(statement, principal, built.bucket) for principal in principals)
    ]
    if not found:
        return passed(f"{len(policies)} policies")
    return Finding(
        Status.FAIL,
        f"a policy denies {' or '.join(principals)} what is in {built.bucket}, whatever others "
        "allow",
        evidence=tuple(found),
        fix="except the bucket in that statement, on the page of organisation access policies "
        "in CoreWeave's console",
    )


def _meets(statement: Statement, principal: str, bucket: str) -> bool:
    exchange = ("cwobject:*", *EXCHANGE) if principal.startswith(ROLE) else ()
    return (
        any(fnmatchcase(principal, item) for item in statement.principals)
        and any(fnmatchcase(bucket, item.partition("/")[0]) for item in statement.resources)
        and any(item == "*" or item.startswith(("s3:", *exchange)) for item in statement.actions)
    )
