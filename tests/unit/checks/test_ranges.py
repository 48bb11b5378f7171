"""What ranges fill in, and what they are to fill in."""

from __future__ import annotations

from typing import Any

from anyscale_k8s_cli.checks.ranges import filled, proposal


def pod(*resources: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    containers = [{"name": str(n), "resources": each} for n, each in enumerate(resources)]
    return {"kind": "Pod", "spec": {"containers": containers, **more}}


def test_a_range_fills_in_what_is_left_out_and_a_limit_is_a_request() -> None:
    item = {
        "type": "Container",
        "default": {"cpu": "2", "memory": "2Gi"},
        "defaultRequest": {"cpu": "100m", "memory": "64Mi"},
    }
    of_pods = {"type": "Pod", "default": {"cpu": "9"}}
    first = pod({"limits": {"cpu": "1"}}, None, initContainers=[{"name": "before"}])
    found = filled(first, [of_pods, item])
    one, other = (each["resources"] for each in found["spec"]["containers"])
    assert one == {
        "limits": {"cpu": "1", "memory": "2Gi"},
        "requests": {"cpu": "1", "memory": "64Mi"},
    }
    assert other == {"limits": item["default"], "requests": item["defaultRequest"]}
    assert found["spec"]["initContainers"][0]["resources"] == other
    assert first == pod({"limits": {"cpu": "1"}}, None, initContainers=[{"name": "before"}])


def test_a_limit_that_is_proposed_is_no_less_than_what_is_asked_for() -> None:
    large = pod({"requests": {"memory": "3Gi"}}, None)
    item = proposal({"limits.memory": {"0", "1"}, "requests.cpu": {"1"}}, [large])
    assert item == {
        "type": "Container",
        "default": {"memory": "3Gi"},
        "defaultRequest": {"memory": "128Mi", "cpu": "100m"},
    }
    assert proposal({}, [large]) is None
