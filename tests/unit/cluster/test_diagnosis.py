"""What a diagnosis says, which is each thing once."""

from __future__ import annotations

import pytest

from anyscale_k8s_cli.cluster.admission import denial_in
from anyscale_k8s_cli.cluster.diagnosis import Diagnosis

NO_NODE = (
    "0/3 nodes are available: 2 node(s) had untolerated taint {dedicated: ml}, 1 node(s) didn't "
    "match Pod's node affinity/selector."
)


def test_what_the_cause_says_is_not_said_again_by_conditions_and_events() -> None:
    found = Diagnosis(
        f"Pod eg/certgen: Unschedulable: {NO_NODE}",
        (f"PodScheduled=False Unschedulable: {NO_NODE}", "Ready=False ContainersNotReady: two"),
        (f"FailedScheduling: {NO_NODE}", "NotTriggerScaleUp: no group would fit"),
    )
    assert found.evidence == (
        "condition Ready=False ContainersNotReady: two",
        "event NotTriggerScaleUp: no group would fit",
    )


def test_a_complaint_of_the_program_is_told_with_the_state_of_its_pod_as_evidence() -> None:
    found = Diagnosis("Pod ray/x: Error (exit code 1)", log=("starting", "ERROR: no bucket"))
    assert found.told == "ERROR: no bucket"
    assert found.evidence == ("Pod ray/x: Error (exit code 1)", "log starting")


@pytest.mark.parametrize(
    ("seen", "mend"),
    [
        (NO_NODE, ["--toleration dedicated=ml", "--node-selector"]),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }.", ["--toleration gpu"]),
        ("0/1 nodes are available: 1 Insufficient cpu.", ["add a node"]),
    ],
)
def test_a_pod_that_no_node_takes_is_given_a_place(seen: str, mend: list[str]) -> None:
    lines = Diagnosis(f"Pod ray/x: Unschedulable: {seen}").mend.splitlines()
    assert len(lines) == len(mend) + 1
    assert all(word in line for word, line in zip(mend, lines, strict=False))


def test_what_does_not_come_up_otherwise_is_mended_otherwise() -> None:
    assert Diagnosis("Pod ray/x, container a: ImagePullBackOff").mend == ""


def test_a_pod_that_may_not_be_made_is_in_vain_and_its_rule_is_told() -> None:
    denial = denial_in('pods "p" is forbidden: exceeded quota: team, requested: pods=1', "ray")
    found = Diagnosis("ReplicaSet x in ray: FailedCreate: no", denial=denial, way="ask them")
    assert found.refused
    assert found.waiting == "a pod may not be made: the ResourceQuota team: requested: pods=1"
    assert found.mend == "ask them"
    assert found.told == "ReplicaSet x in ray: FailedCreate: no"
