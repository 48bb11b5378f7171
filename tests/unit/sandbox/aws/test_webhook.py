"""What EKS's webhook adds to pods."""

from __future__ import annotations

import copy
from typing import Any

from anyscale_k8s_cli.sandbox.aws import webhook


def pod() -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "b"}]}}


def containers(changed: dict[str, Any]) -> list[dict[str, Any]]:
    return [*changed["spec"]["containers"], *changed["spec"]["initContainers"]]


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container["env"]}


def test_both_ways_can_stand_side_by_side() -> None:
    changed = pod()
    webhook.add_agent(changed, "http://agent", "us-west-2")
    webhook.add_role(changed, "arn:role", "us-west-2")
    for container in containers(changed):
        found = variables(container)
        assert found["AWS_ROLE_ARN"] == "arn:role"
        assert found["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://agent"
        assert len(found) == len(container["env"])
    audiences = [
        volume["projected"]["sources"][0]["serviceAccountToken"]["audience"]
        for volume in changed["spec"]["volumes"]
    ]
    assert audiences == ["pods.eks.amazonaws.com", "sts.amazonaws.com"]


def test_repeating_changes_nothing() -> None:
    changed = pod()
    webhook.add_role(changed, "arn:role", "us-west-2")
    again = copy.deepcopy(changed)
    webhook.add_role(again, "arn:role", "us-west-2")
    assert again == changed


def test_own_variables_of_a_container_win() -> None:
    changed = pod()
    own = [{"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"}]
    changed["spec"]["containers"][0]["env"] = own
    webhook.add_role(changed, "arn:role", "us-west-2")
    first, second = containers(changed)
    assert "AWS_REGION" not in variables(first)
    assert variables(first)["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert variables(second)["AWS_REGION"] == "us-west-2"
