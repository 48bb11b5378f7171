"""What administrators forbid in a cluster: policies, quotas, ranges, Pod Security; dry runs too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client

Refused = Callable[[Callable[[], Any]], tuple[int, str]]
Eventually = Callable[[Callable[[], Any]], Any]


def policy(cluster: Any, expression: str, *, actions: list[str] | None = None, **more: Any) -> None:
    api = client.AdmissionregistrationV1Api(cluster.api())
    rule = {
        "apiGroups": ["", "apps"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps", "pods", "deployments"],
    }
    validation = {"expression": expression, **more}
    api.create_validating_admission_policy(
        {
            "metadata": {"name": "company"},
            "spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]},
        }
    )
    api.create_validating_admission_policy_binding(
        {
            "metadata": {"name": "everywhere"},
            "spec": {"policyName": "company", "validationActions": actions or ["Deny"]},
        }
    )


def config_map(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels}}


def pod(name: str, **resources: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "main", "resources": resources}
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}


HAS_TEAM = "has(object.metadata.labels) && 'team' in object.metadata.labels"


def test_a_policy_denies_dry_runs_and_controllers_as_it_denies_clients(
    cluster: Any, core: Any, apps: Any, refused: Refused, eventually: Eventually
) -> None:
    policy(cluster, HAS_TEAM, message="name your team")

    for dry_run in ({"dry_run": "All"}, {}):
        status, message = refused(
            lambda more=dry_run: core.create_namespaced_config_map(
                "default", config_map("a"), **more
            )
        )
        assert status == 422
        assert message == (
            "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'company' with binding "
            "'everywhere' denied request: name your team"
        )
    core.create_namespaced_config_map("default", config_map("a", team="b"), dry_run="All")
    assert [
        m for m in core.list_namespaced_config_map("default").items if m.metadata.name == "a"
    ] == []

    labels = {"team": "b"}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": pod("x")["spec"]}
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template}
    apps.create_namespaced_deployment(
        "default", {"metadata": {"name": "x", "labels": labels}, "spec": spec}
    )
    assert eventually(
        lambda: any(
            "name your team" in event.message
            for event in core.list_namespaced_event("default").items
        )
    )


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("object.metadata.labels.team == 'a'", "resulted in error: no such key: team"),
        ("object.metadata.name == 'b'", "failed expression: object.metadata.name == 'b'"),
    ],
)
def test_without_words_of_its_own_a_policy_tells_the_expression(
    cluster: Any, core: Any, refused: Refused, expression: str, told: str
) -> None:
    policy(cluster, expression)
    made = config_map("a", other="x")
    assert told in refused(lambda: core.create_namespaced_config_map("default", made))[1]


def test_a_policy_that_only_warns_lets_pass(cluster: Any, core: Any) -> None:
    policy(cluster, HAS_TEAM, actions=["Warn"])
    _, _, headers = core.create_namespaced_config_map_with_http_info("default", config_map("a"))
    assert "Validation failed for ValidatingAdmissionPolicy 'company'" in headers["Warning"]


def test_an_expression_that_makes_no_sense_is_no_policy(cluster: Any, refused: Refused) -> None:
    status, message = refused(lambda: policy(cluster, "object.metadata. &&"))
    assert status == 422
    assert "compilation failed" in message


def test_a_quota_counts_requests_and_load_balancers(
    core: Any, refused: Refused, eventually: Eventually
) -> None:
    hard = {"requests.memory": "1Gi", "services.loadbalancers": "0", "count/configmaps": "3"}
    core.create_namespaced_resource_quota(
        "default", {"metadata": {"name": "q"}, "spec": {"hard": hard}}
    )

    assert refused(lambda: core.create_namespaced_pod("default", pod("a")))[1] == (
        'pods "a" is forbidden: failed quota: q: must specify requests.memory for: main'
    )
    core.create_namespaced_pod("default", pod("a", requests={"memory": "512Mi"}))
    assert refused(
        lambda: core.create_namespaced_pod(
            "default", pod("b", requests={"memory": "1Gi"}), dry_run="All"
        )
    ) == (
        403,
        'pods "b" is forbidden: exceeded quota: q, requested: requests.memory=1Gi, '
        "used: requests.memory=512Mi, limited: requests.memory=1Gi",
    )
    service = {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    assert (
        "requested: services.loadbalancers=1, used: services.loadbalancers=0"
        in refused(lambda: core.create_namespaced_service("default", service))[1]
    )
    assert eventually(
        lambda: (
            core.read_namespaced_resource_quota("q", "default").status.used
            == {"requests.memory": "512Mi", "services.loadbalancers": "0", "count/configmaps": "1"}
        )
    )


def test_a_range_fills_in_and_keeps_within(core: Any, refused: Refused) -> None:
    item = {"type": "Container", "max": {"memory": "1Gi"}, "defaultRequest": {"memory": "64Mi"}}
    core.create_namespaced_limit_range(
        "default", {"metadata": {"name": "r"}, "spec": {"limits": [item]}}
    )

    made = core.create_namespaced_pod("default", pod("a"))
    resources = made.spec.containers[0].resources
    assert (resources.requests, resources.limits) == ({"memory": "64Mi"}, {"memory": "1Gi"})
    assert refused(
        lambda: core.create_namespaced_pod("default", pod("b", limits={"memory": "2Gi"}))
    ) == (
        403,
        'pods "b" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi',
    )
