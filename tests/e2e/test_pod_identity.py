"""A life with EKS Pod Identity: a pod that came too early, one that gets nothing, and the end."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.sandbox.client import AdminClient
from anyscale_k8s_cli.sandbox.world import EksWorld, World
from tests.by_hand import ByHand
from tests.processes import UNTRIED, Ended, Sandbox, eventually

WORLD = World(
    platforms=("eks",),
    eks=EksWorld(pod_identity_agent=True, pods_reach_metadata=True, gpu_nodes=False),
)
WHERE = ("--provider", "eks", "--cluster-name", "demo", "--region", "us-west-2", "--name", "prod")
NO_WAY_IN = ("--network", "none", *UNTRIED)
SEPARATE = ("--workload-identity", "separate")
POD_IDENTITY = "aws:pod-identity-association/demo/anyscale-operator/anyscale-operator"
ASSOCIATION = "demo/anyscale-operator/anyscale-operator"
PODS = "/api/v1/namespaces/anyscale-operator/pods"
ACCOUNT = "/api/v1/namespaces/anyscale-operator/serviceaccounts/anyscale-operator"
OPERATORS = {"labelSelector": "app=anyscale-operator"}


def setup(sandbox: Sandbox, *more: str) -> Ended:
    return sandbox.anyscale(
        "cloud", "setup", *WHERE, *NO_WAY_IN, *SEPARATE, *more, "--yes", "-o", "json"
    )


def changed(document: dict[str, Any]) -> dict[str, str]:
    kept = ("none", "adopt")
    return {
        item["key"]: item["change"] for item in document["resources"] if item["change"] not in kept
    }


def pods(hand: ByHand) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = hand.kubernetes.get(PODS, params=OPERATORS).json()["items"]
    return found


def test_a_life(sandbox: Sandbox) -> None:
    admin = AdminClient.from_environment(sandbox.environment)
    hand = ByHand(sandbox.environment)
    before = admin.snapshot()["aws"]

    # The other way, said outright: what it has made is not needed later, and goes at the end.
    other = setup(sandbox, "--identity-kind", "irsa")
    assert other.code == 0, other.err
    assert other.document["health"] == "HEALTHY"
    account = hand.kubernetes.get(ACCOUNT).json()["metadata"]["annotations"]
    other_role = account["eks.amazonaws.com/role-arn"]

    # Nobody but a pod can use what Ray's pods are given, and its first use comes too early.
    made = setup(sandbox, "--identity-kind", "pod-identity", "--probe")
    assert made.code == 0, made.err
    assert made.document["health"] == "HEALTHY"
    probed = {item["code"]: item for item in made.document["probe"]}
    assert probed["pod-storage"]["status"] == "pass"
    assert probed["pod-storage"]["detail"].endswith("by EKS Pod Identity agent")
    # EKS sees an association late: the first pod has nothing.
    assert "came before its identity and has none; the operator is restarted once" in made.err
    role = admin.snapshot()["aws"]["pod_identity_associations"][ASSOCIATION]["role"]
    assert role == other_role
    account = hand.kubernetes.get(ACCOUNT).json()["metadata"]["annotations"]
    assert "eks.amazonaws.com/role-arn" not in account

    # Somebody removes it, and EKS' webhook is down when the operator is started again.
    eks = hand.aws("eks")
    named = {"clusterName": "demo", "serviceAccount": "anyscale-operator"}
    (found,) = eks.list_pod_identity_associations(**named)["associations"]
    eks.delete_pod_identity_association(clusterName="demo", associationId=found["associationId"])
    admin.break_("pod-webhook", platform="eks")
    old = {pod["metadata"]["uid"] for pod in pods(hand)}
    hand.kubernetes.delete(PODS, params=OPERATORS)
    eventually(lambda: bool({pod["metadata"]["uid"] for pod in pods(hand)} - old))
    seen = sandbox.anyscale("cloud", "verify", *WHERE, "-o", "json")
    failed = {item["code"]: item for item in seen.document["checks"] if item["status"] == "fail"}
    assert failed.keys() == {"operator-identity"}
    told = failed["operator-identity"]["detail"]
    assert told.endswith("anyscale-operator/anyscale-operator: does not exist")
    stuck = setup(sandbox)
    error = stuck.document["error"]
    assert (stuck.code, error["code"]) == (2, "operator-lacks-identity"), stuck.err
    assert f"expected is {role}; what the pod is, is arn:aws:sts::" in error["cause"]
    assert "assumed-role/demo-node/" in error["cause"]

    admin.mend("pod-webhook", platform="eks")
    mended = setup(sandbox)
    assert mended.code == 0, mended.err
    assert mended.document["health"] == "HEALTHY"
    # The setup before it has made the association again, and got no further.
    assert not {key for key in changed(mended.document) if key.startswith("aws:")}

    gone = sandbox.anyscale(
        "cloud",
        "delete",
        "prod",
        "--yes",
        "--delete-bucket",
        "anyscale-prod-92c04b15",
        "-o",
        "json",
        env=sandbox.fresh_home(),
    )
    assert gone.code == 0, gone.err
    assert POD_IDENTITY in {item["key"] for item in gone.document["removed"]}
    assert admin.snapshot()["aws"] == before
