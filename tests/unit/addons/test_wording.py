"""What a person says of the cluster's side, refused offline where it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import wording
from anyscale_k8s_cli.spec import CloudSpec


def spec(namespace: str = "ray", **values: Any) -> CloudSpec:
    said = {"provider": "eks", "name": "prod", "namespace": namespace}
    return CloudSpec.model_validate({**said, "operator": {"values": values}})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (spec("kube-system"), "--namespace: kube-system is Kubernetes' own"),
        (spec("envoy-gateway-system"), "--namespace: envoy-gateway-system is"),
        (spec(**{"global": {"cloudDeploymentId": "x"}}), "--values: global.cloudDeploymentId is"),
        (spec(networking={"gateway": {"ip": None}}), "--values: networking.gateway.ip is"),
        (
            spec(**{"global": {"controlPlaneURL": "x", "auth": {"iamIdentity": "y"}}}),
            "--values: global.controlPlaneURL, global.auth.iamIdentity are",
        ),
    ],
)
def test_what_would_make_it_another_operator_is_refused_by_name(
    wrong: CloudSpec, says: str
) -> None:
    with pytest.raises(errors.CliError) as caught:
        wording.check(wrong)
    assert caught.value.code is errors.INVALID_SPEC
    assert caught.value.message.startswith(says)


def test_the_option_that_says_it_is_told() -> None:
    with pytest.raises(errors.CliError) as caught:
        wording.check(spec(**{"global": {"auth": {"iamIdentity": "y"}}}))
    assert caught.value.fix.splitlines() == [
        "leave it out of your values",
        "global.auth.iamIdentity: --identity says it",
    ]


def test_values_of_ones_own_are_ones_own() -> None:
    mine = {"global": {"auth": {"anyscaleCliToken": "t"}}, "networking": {"gateway": {"x": 1}}}
    wording.check(spec("kubernetes", **mine))


def test_keys_that_the_chart_does_not_have() -> None:
    resources = {"requests": {"cpu": 1}, "limits": {"memory": "2Gi"}}
    charts = {
        "operator": {"labels": {}, "replicas": 1, "image": {"tag": "x"}, "resources": resources}
    }
    users = {
        "operater": {"replicas": 2},
        "operator": {
            "labels": {"team": "ml"},
            "replicas": 2,
            "image": {"tga": "y"},
            # What Kubernetes knows is nothing that the chart need have a default for.
            "resources": {"limits": {"cpu": 2}},
        },
    }
    assert list(wording.unknown(users, charts)) == ["operater", "operator.image.tga"]


@pytest.mark.parametrize("key", ["app", "app.kubernetes.io/name", "anyscale-k8s/user-x"])
def test_labels_by_which_charts_find_their_pods_are_not_the_users(key: str) -> None:
    with pytest.raises(errors.CliError) as caught:
        wording.check(CloudSpec(provider="eks", name="prod", pods={"labels": {key: "x"}}))
    assert f"--pod-label: {key}" in str(caught.value)


def test_a_hook_whose_pod_would_lack_something_is_refused() -> None:
    hook = {"workloads": {"instanceTypes": {"validationHook": {"enabled": True}}}}
    spec = {"provider": "eks", "name": "prod", "operator": {"values": hook}}
    wording.check(CloudSpec.model_validate(spec))
    with pytest.raises(errors.CliError) as caught:
        wording.check(CloudSpec.model_validate({**spec, "pods": {"labels": {"team": "ml"}}}))
    assert "validationHook" in str(caught.value)


def test_a_bundle_is_not_handed_over_where_helm_alone_installs() -> None:
    with pytest.raises(errors.CliError) as caught:
        wording.refuse_bundle()
    assert "--install-operator" in caught.value.fix
