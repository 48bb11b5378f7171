"""What those that add nodes answer for a pod that no node takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from anyscale_k8s_cli.cluster.documents import Document, Documents

# https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md
# https://karpenter.sh/docs/troubleshooting/
_ADDS = frozenset({"TriggeredScaleUp", "Nominated"})
_REFUSES = frozenset({"NotTriggerScaleUp"})
# The cluster autoscaler's answers are normal events, besides the scheduler's warning.
ANSWERS = _ADDS | _REFUSES
# Karpenter says no by the scheduler's own reason.
_NO_NODE_POOL, _KARPENTER = "FailedScheduling", ("karpenter", "eks-auto-mode")
# A group of nodes rests after one that did not come, and is asked again.
_RESTS = "backoff"
# How long a no must stand, in seconds, and how often it is looked for in that time.
SETTLED = 30.0
_LOOKS = 6


@dataclass(frozen=True)
class Answer:
    """`adds` is whether a node is being added; `words` are what the event says."""

    adds: bool
    words: str


def answer_for(events: Documents) -> Answer | None:
    """Whether a pod gets a node, by the last word of each that adds nodes; None if it is open.

    `events` are about the pod, from old to new. One that adds a node is enough, and as long as
    one only rests there is no no.
    """
    last = {_component(event): event for event in events if _answers(event)}
    told = [
        Answer(event["reason"] in _ADDS, f"{event['reason']}: {event.get('message', '')}".strip())
        for event in last.values()
    ]
    added = next((one for one in told if one.adds), None)
    if added or any(_RESTS in one.words for one in told):
        return added
    return told[0] if told else None


def _answers(event: Document) -> bool:
    if event.get("reason") == _NO_NODE_POOL:
        return _component(event).startswith(_KARPENTER)
    return event.get("reason") in ANSWERS


def _component(event: Document) -> str:
    source = event.get("source") or {}
    return str(event.get("reportingComponent") or source.get("component") or "")


@dataclass
class Patience:
    """When to look for an answer, and whether a no has stood long enough to be final.

    Nodes may just be coming, and other pods going: a no is not believed at once.
    """

    settled: float = SETTLED
    _next: float = field(init=False)
    _since: float | None = None

    def __post_init__(self) -> None:
        self._next = time.monotonic() + self.interval

    @property
    def interval(self) -> float:
        """Between two looks, in seconds."""
        return self.settled / _LOOKS

    def due(self) -> bool:
        """Whether it is time to look again."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self.interval
        return True

    def over(self, *, refused: bool) -> bool:
        if not refused:
            self._since = None
            return False
        if self._since is None:
            self._since = time.monotonic()
        return time.monotonic() - self._since >= self.settled
