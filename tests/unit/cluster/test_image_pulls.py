"""Images that a node does not get: the registry's words, and whether to wait on."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.cluster.diagnosis import Diagnosis
from anyscale_k8s_cli.cluster.image_pulls import FailedPull, failed_pull

IMAGE = "mirror.example.com:5000/denied-404/operator:1.9"
RESOLVED = f'rpc error: code = Unknown desc = failed to resolve reference "{IMAGE}": '


def waiting(reason: str, message: str) -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "operator", "image": IMAGE, "state": state}


def failed(words: str, image: str = IMAGE) -> dict[str, Any]:
    return {"reason": "Failed", "message": f'Failed to pull image "{image}": {words}'}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("pull access denied, repository does not exist or may require authorization", "secret"),
        ("unexpected status from HEAD request to https://x/v2/: 401 Unauthorized", "secret"),
        ("failed to authorize: failed to fetch anonymous token: 403 Forbidden", "secret"),
        ("no basic auth credentials", "secret"),
        (f"{IMAGE}: not found", "registry"),
        ("manifest unknown: manifest unknown", "registry"),
        # What passes by itself is waited for.
        ("unexpected status: 503 Service Unavailable", ""),
        ("toomanyrequests: You have reached your unauthenticated pull rate limit: 429", ""),
    ],
)
def test_what_another_try_does_not_change_ends_a_wait(words: str, option: str) -> None:
    pull = FailedPull("operator", IMAGE, "ErrImagePull", RESOLVED + words)
    found = Diagnosis(f"Pod ray/x, container operator: {pull}", pull=pull)

    assert found.refused is pull.final is bool(option)
    assert found.told == found.cause
    assert found.waiting == f"Pod ray/x, container operator: ErrImagePull: {words}"
    ways = {"secret": "--image-pull-secret NAME", "registry": "--image-registry HOST/PATH"}
    assert ways.get(option, "") in found.mend
    assert ("mirror.example.com:5000" in found.mend) is bool(option)


@pytest.mark.parametrize(
    "words",
    [
        "dial tcp 10.0.0.1:443: i/o timeout",
        "dial tcp: lookup mirror.example.com: no such host",
        "net/http: TLS handshake timeout",
        "context deadline exceeded",
    ],
)
def test_a_registry_that_nodes_do_not_reach_is_waited_for_and_another_one_proposed(
    words: str,
) -> None:
    pull = FailedPull("operator", IMAGE, "ErrImagePull", RESOLVED + words)
    found = Diagnosis(f"Pod ray/x, container operator: {pull}", pull=pull)

    assert not found.refused
    assert "mirror.example.com:5000" in found.mend
    assert "--image-registry HOST/PATH" in found.mend
    assert "--image-pull-secret NAME" in found.mend


def test_while_it_backs_off_events_have_the_words_of_the_registry() -> None:
    events = [failed("first"), failed("other", "other:1"), failed("last\n words"), {"reason": "x"}]
    status = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')

    told = failed_pull(status, events)
    assert str(told) == f'ImagePullBackOff: Failed to pull image "{IMAGE}": last words'
    assert str(failed_pull(status, [])) == f'ImagePullBackOff: Back-off pulling image "{IMAGE}"'
    assert failed_pull(waiting("CrashLoopBackOff", "back-off"), events) is None
    assert failed_pull({"name": "operator", "state": {"running": {}}}, events) is None
