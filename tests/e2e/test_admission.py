"""Rules of an administrator: told before the first change, in a new namespace before the next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from anyscale_k8s_cli.cluster.context import from_context
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.world import World
from tests.processes import Desk, started

API = "admissionregistration.k8s.io/v1"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
# What is to be made is the operator, and what it is for.
SMALL = ("--network", "none", "--gpu", "off")
ASKED = ("charts-available", "namespace-limits", "cluster-admission")


def rule(message: str) -> list[Document]:
    """Deployments of the operator need a label that no chart gives them."""
    resources = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
    ours = "object.metadata.name != 'anyscale-operator'"
    named = "'cost' in object.metadata.labels"
    return [
        {
            "apiVersion": API,
            "kind": POLICY,
            "metadata": {"name": "costs"},
            "spec": {
                "matchConstraints": {
                    "resourceRules": [{**resources, "operations": ["CREATE", "UPDATE"]}]
                },
                "validations": [{"expression": f"{ours} || {named}", "message": message}],
            },
        },
        {
            "apiVersion": API,
            "kind": BINDING,
            "metadata": {"name": "costs"},
            "spec": {"policyName": "costs", "validationActions": ["Deny"]},
        },
    ]


def test_a_rule_stops_a_setup_before_it_makes_what_would_be_left(
    desks: Callable[[], Desk], homes: Callable[[], Path]
) -> None:
    with started(desks(), homes, World(platforms=("generic",))) as sandbox:
        file = Path(sandbox.environment["KUBECONFIG"])
        kubernetes = Kubernetes(from_context("demo", file), Run())
        where = ("--provider", "generic", "--context", "demo", "--region", "onprem", *SMALL)
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "given"}}
        for document in (*rule("name a cost centre"), namespace):
            kubernetes.create(document)

        def runs(verb: str, place: str, *more: str) -> tuple[int, dict[str, Document], Document]:
            words = ("cloud", verb, *where, "--name", "w", "--namespace", place, *more)
            ended = sandbox.anyscale(*words, "-o", "json")
            assert "checks" in ended.document, ended.document
            checks = {item["code"]: item for item in ended.document["checks"]}
            return ended.code, checks, ended.document

        before = sandbox.admin.last_call()
        code, checks, document = runs("setup", "given", "--yes")
        assert code == 4
        assert document["error"]["code"] == "admission-denied"
        assert "name a cost centre" in document["error"]["cause"]
        assert "get validatingadmissionpolicy costs" in document["error"]["fix"]
        assert [checks[name]["status"] for name in ASKED] == ["pass", "pass", "fail"]
        writes = [call for call in sandbox.admin.calls(after=before) if call["operation"]["write"]]
        assert not [call for call in writes if call["operation"]["principal"] == "kubernetes-admin"]

        code, checks, document = runs("plan", "given", "--waive", "cluster-admission")
        assert code == 0
        assert checks["cluster-admission"]["status"] == "waived"

        # In a namespace that is still to be made nothing can be tried beforehand.
        code, checks, document = runs("setup", "new", "--yes")
        assert "the namespace new does not exist yet" in checks["cluster-admission"]["detail"]
        assert (code, document["error"]["code"]) == (4, "admission-denied")
        made = [item["key"] for item in document["resources"] if item.get("result") == "done"]
        assert made == ["k8s:namespace/new"]

        kubernetes.delete(Reference(API, BINDING, "costs"))
        code, checks, document = runs("setup", "new", "--yes")
        assert (code, document["health"]) == (0, "HEALTHY")
        code, checks, _ = runs("plan", "new")
        assert not set(ASKED) & set(checks)
