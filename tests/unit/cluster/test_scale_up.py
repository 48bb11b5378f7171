"""What autoscalers answer for a pod without a node, and when a no is believed."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.diagnosis import Diagnosis
from anyscale_k8s_cli.cluster.scale_up import Answer, Patience, answer_for

SCHEDULER, AUTOSCALER, KARPENTER = "default-scheduler", "cluster-autoscaler", "karpenter"
NO = "pod didn't trigger scale-up: 2 node(s) had untolerated taint {nvidia.com/gpu: present}"
NO_POOL = 'Failed to schedule pod, incompatible with nodepool "gpu", did not tolerate taint'
YES = "pod triggered scale-up: [{workers 1->2 (max: 4)}]"


def said(who: str, reason: str, message: str, *, old: bool = False) -> dict[str, Any]:
    source = {"source": {"component": who}} if old else {"reportingComponent": who}
    return {**source, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("events", "adds"),
    [
        ([], None),
        # The scheduler alone does not know what is to come.
        ([said(SCHEDULER, "FailedScheduling", "0/3 nodes are available")], None),
        ([said(AUTOSCALER, "NotTriggerScaleUp", NO, old=True)], False),
        ([said(KARPENTER, "FailedScheduling", NO_POOL)], False),
        ([said("eks-auto-mode/compute", "FailedScheduling", NO_POOL)], False),
        ([said(AUTOSCALER, "TriggeredScaleUp", YES)], True),
        ([said(KARPENTER, "Nominated", "Pod should schedule on: nodeclaim/gpu")], True),
        # The last word of each counts, and one that adds is enough.
        (
            [
                said(AUTOSCALER, "NotTriggerScaleUp", NO),
                said(AUTOSCALER, "TriggeredScaleUp", YES),
            ],
            True,
        ),
        (
            [
                said(AUTOSCALER, "TriggeredScaleUp", YES),
                said(AUTOSCALER, "NotTriggerScaleUp", NO),
            ],
            False,
        ),
        (
            [
                said(KARPENTER, "Nominated", "nodeclaim/gpu"),
                said(AUTOSCALER, "NotTriggerScaleUp", NO),
            ],
            True,
        ),
        # A group that rests is asked again.
        (
            [
                said(
                    AUTOSCALER,
                    "NotTriggerScaleUp",
                    "pod didn't trigger scale-up: 1 in backoff after failed scale-up",
                ),
                said(KARPENTER, "FailedScheduling", NO_POOL),
            ],
            None,
        ),
    ],
)
def test_an_answer_is_read_from_events(events: list[dict[str, Any]], adds: bool | None) -> None:
    answer = answer_for(events)
    assert (answer.adds if answer else None) is adds


def test_a_no_is_told_with_its_words_and_once() -> None:
    seen = "0/1 nodes are available: 1 node(s) had untolerated taint {a: }."
    answer = Answer(adds=False, words=f"NotTriggerScaleUp: {NO}")
    found = Diagnosis(
        f"Pod eg/x: Unschedulable: {seen}", events=(answer.words, "Other: told"), answer=answer
    )
    assert found.refused
    assert found.told == f"{found.cause} No node is added for it: {answer.words}"
    assert found.waiting == f"Pod eg/x waits for a node, and none is added for it: {answer.words}"
    assert found.evidence == ("event Other: told",)
    assert found.mend.startswith("let the pods tolerate it: --toleration a\n")


def test_a_wait_for_nodes_is_told_as_one() -> None:
    cause = "Pod eg/x: Unschedulable: 0/1 nodes are available."
    assert Diagnosis(cause).waiting == "Pod eg/x waits for a node: 0/1 nodes are available."
    coming = Diagnosis(cause, answer=Answer(adds=True, words="Nominated: nodeclaim/gpu"))
    assert not coming.refused
    assert coming.waiting.endswith("and one is being added: Nominated: nodeclaim/gpu")
    assert Diagnosis("Pod eg/x, container a: ImagePullBackOff").waiting == ""


def test_a_no_must_stand_before_it_is_believed() -> None:
    patient, hasty = Patience(settled=3600), Patience(settled=0)
    assert not patient.due()
    assert not patient.over(refused=True)
    assert hasty.due()
    assert not hasty.over(refused=False)
    assert hasty.over(refused=True)
