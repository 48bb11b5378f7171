"""The printed ClusterRoles, granted to somebody and nothing else: enough, and not too much."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from anyscale_k8s_cli.cluster.context import from_context
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.rights import rights
from anyscale_k8s_cli.provider import Verb
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.world import World
from tests.processes import Desk, Ended, Sandbox, started

RBAC = "rbac.authorization.k8s.io/v1"
WHO = "system:serviceaccount:kube-system:deputy"
# What Kubernetes lets everyone ask.
ANYBODY = {
    "create selfsubjectaccessreviews.authorization.k8s.io",
    "create selfsubjectreviews.authentication.k8s.io",
}
# What these commands do not come to: causes of failures, hooks of an older release, tokens
# on platforms that vouch for them, a lock that nobody left; and what only RBAC itself asks.
ON_OTHER_WAYS = {
    Verb.PLAN: {
        "get mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "get pods/log",
        "list events",
    },
    Verb.SETUP: {
        "bind clusterroles.rbac.authorization.k8s.io",
        "bind roles.rbac.authorization.k8s.io",
        "create serviceaccounts/token",
        "escalate clusterroles.rbac.authorization.k8s.io",
        "escalate roles.rbac.authorization.k8s.io",
        "list mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "list rolebindings.rbac.authorization.k8s.io",
        "list roles.rbac.authorization.k8s.io",
        "list serviceaccounts",
        "patch namespaces",
    },
    Verb.VERIFY: {
        "get pods/proxy",  # of operators that have an identity
        "watch configmaps",  # of a probe that was killed
    },
    Verb.DELETE: {
        "create leases.coordination.k8s.io",
        "watch gateways.gateway.networking.k8s.io",
        "watch jobs.batch",
        "watch mutatingwebhookconfigurations.admissionregistration.k8s.io",
    },
}
# Helm watches what is not up yet when it looks.
SOMETIMES = {
    "watch daemonsets.apps",
    "watch customresourcedefinitions.apiextensions.k8s.io",
}
WHERE = ("--provider", "generic", "--context", "demo")


class Deputy:
    """Somebody in a cluster whose rights are those of one printed role."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._file = Path(sandbox.environment["KUBECONFIG"])
        self._own = folder / "kubeconfig"
        self._kubernetes = Kubernetes(from_context("demo", self._file), Run())
        account = {"name": "deputy", "namespace": "kube-system"}
        self._make("v1", "ServiceAccount", account)
        config = yaml.safe_load(self._file.read_text(encoding="utf-8"))
        token = self._token(self._issuer())
        named = next(item for item in config["contexts"] if item["name"] == "demo")
        named["context"]["user"] = "deputy"
        config["users"].append({"name": "deputy", "user": {"token": token}})
        self._own.write_text(yaml.safe_dump(config), encoding="utf-8")
        self.used: dict[Verb, set[str]] = {}

    def _token(self, audience: str) -> str:
        return self._kubernetes.token_request("kube-system", "deputy", audience, seconds=3600)

    def _issuer(self) -> str:
        """For whom tokens are that the API server itself takes."""
        payload = self._token("nobody").split(".")[1]
        return str(json.loads(urlsafe_b64decode(payload + "=="))["iss"])

    def may(self, verb: Verb) -> None:
        """From now on the rights that are printed for it, and no others."""
        printed = self._sandbox.anyscale(
            *("cloud", "permissions", "--provider", "generic"),
            *("--verb", verb.value, "--scope", "cluster"),
        )
        role = yaml.safe_load(printed.out)
        for kind in ("ClusterRoleBinding", "ClusterRole"):
            self._kubernetes.delete(Reference(RBAC, kind, "deputy"))
        self._make(RBAC, "ClusterRole", {"name": "deputy"}, rules=role["rules"])
        self._make(
            RBAC,
            "ClusterRoleBinding",
            {"name": "deputy"},
            roleRef={"apiGroup": RBAC.partition("/")[0], "kind": "ClusterRole", "name": "deputy"},
            subjects=[{"kind": "ServiceAccount", "namespace": "kube-system", "name": "deputy"}],
        )

    def does(self, verb: Verb, *arguments: str) -> Ended:
        before = self._sandbox.admin.last_call()
        ended = self._sandbox.anyscale(
            "cloud", *arguments, "--kubeconfig", str(self._own), "-o", "json"
        )
        calls = self._sandbox.admin.calls(after=before)
        self.used.setdefault(verb, set()).update(used(calls))
        return ended

    def _make(self, api: str, kind: str, metadata: Document, **more: Any) -> None:
        self._kubernetes.create({"apiVersion": api, "kind": kind, "metadata": metadata, **more})


def used(calls: list[dict[str, Any]]) -> Iterator[str]:
    for call in calls:
        operation = call["operation"]
        if operation["principal"] == WHO and operation["right"]:
            yield operation["right"]
            if call["status"] == 201:  # to apply what is not there is to make it
                yield operation["right"].replace("patch ", "create ")


@pytest.fixture(scope="module")
def deputy(desks: Callable[[], Desk], homes: Callable[[], Path]) -> Iterator[Deputy]:
    with started(desks(), homes, World(platforms=("generic",))) as sandbox:
        yield Deputy(sandbox, homes())


def test_a_printed_role_is_enough_and_grants_no_more(deputy: Deputy) -> None:
    cloud = (*WHERE, "--region", "onprem", "--name", "w")
    look = ("plan", *cloud, "--waive", "cluster-rights")

    deputy.may(Verb.PLAN)
    first = deputy.does(Verb.PLAN, *look)
    deputy.may(Verb.SETUP)
    made = deputy.does(Verb.SETUP, "setup", *cloud, "--yes", "--probe")
    deputy.may(Verb.PLAN)
    second = deputy.does(Verb.PLAN, *look)
    looked = deputy.does(Verb.PLAN, "status", "w", "--context", "demo")
    deputy.may(Verb.VERIFY)
    verified = deputy.does(Verb.VERIFY, "verify", "w", "--context", "demo", "--probe")
    deputy.may(Verb.DELETE)
    gone = deputy.does(Verb.DELETE, "delete", "w", "--yes", "--context", "demo")

    for ended in (first, made, second, looked, verified, gone):
        assert ended.code == 0, ended.err
    assert second.document["summary"]["none"] > 0
    # Who may not write tries nothing, and is told so.
    verdicts = {item["code"]: item["status"] for item in first.document["checks"]}
    assert verdicts["cluster-admission"] == "unknown"
    unknown = {item["code"] for item in verified.document["checks"] if item["status"] == "unknown"}
    # The label of its GPUs is not in the chart's table, which is told as the cause.
    assert unknown == {"instance-types-fit"}
    assert gone.document["left"] == []
    for verb, found in deputy.used.items():
        granted = {str(right) for right in rights(verb.cluster_parts)}
        looking = (
            {str(right) for right in rights(Verb.PLAN.cluster_parts)}
            if verb is not Verb.PLAN
            else {}
        )
        assert found - granted <= ANYBODY
        assert granted - found - set(looking) - SOMETIMES == ON_OTHER_WAYS[verb]
