"""Calls that are done once and answered with an error, and commands that are given again for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from anyscale_k8s_cli.sandbox.wire import FaultKind, FaultRule

if TYPE_CHECKING:
    from tests.processes import Sandbox

# The tool's own calls. What a release consists of is helm's business, and a few
# of its calls stand for all: the record, a hook, a part of the manifest.
PRINCIPALS = re.compile(r".*(:user/demo-admin|/anyscale-k8s-cli-proof|@example\.com)")
OBJECTS = re.compile(
    r"namespaces/.*|leases/.*|configmaps/[^/]*/anyscale-k8s-.*|customresourcedefinitions/.*"
    r"|envoyproxies/.*|gatewayclasses/.*|gateways/[^/]*/[^/]*"
    r"|serviceaccounts/anyscale-operator/anyscale-operator"
)
HELMS = (
    ("POST */secrets", "*/sh.helm.release.v1.anyscale-operator.v1"),
    ("PUT */secrets/*", "*/sh.helm.release.v1.eg.v1"),
    ("PATCH */jobs/*", "*/anyscale-operator-instance-types-validation"),
    ("PATCH */deployments/*", "*/envoy-gateway"),
)
# Most errors are answered by a repeated call within the run, the others by a repeated run.
MOST_RUNS = 8
CLOUD_ID = re.compile(r"cld_[0-9a-f]{24}")


def repeated(sandbox: Sandbox, faults: Iterable[FaultRule], *command: str) -> int:
    """Give the command until it succeeds, with all these faults; how often that was."""
    for fault in faults:
        sandbox.admin.inject(fault)
    for number in range(1, MOST_RUNS + 1):
        done = sandbox.anyscale(*command, fresh_home=True)
        assert done.code in (0, 2), done.out + done.err
        if done.code == 0:
            unused = [item for item in sandbox.admin.faults() if not item["fired"]]
            assert unused == []
            sandbox.admin.clear_faults()
            return number
    raise AssertionError(f"{MOST_RUNS} runs were not enough: {done.out}{done.err}")


def of_tool(calls: Iterable[dict[str, Any]]) -> Iterator[FaultRule]:
    """One fault for each of the tool's own calls among these."""
    found = {
        (item["service"], item["name"], CLOUD_ID.sub("*", item["resource"]))
        for item in (call["operation"] for call in calls)
        if PRINCIPALS.fullmatch(item["principal"])
        and (item["service"] != "kubernetes" or OBJECTS.fullmatch(item["resource"]))
    }
    for service, operation, name in sorted(found):
        yield _rule(service, operation, name)


def of_helm() -> Iterator[FaultRule]:
    """For the calls that stand for all of helm's."""
    for operation, name in HELMS:
        yield _rule("kubernetes", operation, name)


def _rule(service: str, operation: str, name: str) -> FaultRule:
    return FaultRule(FaultKind.ERROR_AFTER, service, operation, name, writes_only=True, times=1)
