"""What pods are told, as manifests and charts have it."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.addons.pod_settings import PodSettings
from anyscale_k8s_cli.addons.values import beside, given
from anyscale_k8s_cli.cluster.additions import joined, with_added
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.spec import PodsSpec

CA = Authority().ca_pem.decode()


def workload(**metadata: Any) -> dict[str, Any]:
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "operator"}, {"name": "vector"}]}}
    return {"spec": {"template": pod}}


def test_without_a_proxy_no_variable_is_told() -> None:
    assert PodSettings(PodsSpec(), ("https://api.example",)).proxies == []
    assert PodSettings(PodsSpec(), ("https://api.example",)).no_proxy == ()


@pytest.mark.parametrize("server", ["https://api.example:6443/k8s", "api.example"])
def test_the_api_is_reached_without_the_proxy(server: str) -> None:
    settings = PodSettings(PodsSpec(http_proxy="http://proxy.example"), (server, ""))
    said = {item["name"]: item["value"] for item in settings.proxies}
    assert set(said) == {"HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"}
    assert said["NO_PROXY"].split(",")[-1] == "api.example"
    assert "" not in said["NO_PROXY"].split(",")


def test_only_what_a_chart_has_not_said_is_added() -> None:
    settings = PodSettings(PodsSpec(labels={"team": "ml", "tier": "1"}, annotations={"a": "b"}))
    part = settings.addition(workload(labels={"team": "ml"}, annotations={"a": "b"}))
    assert part == {"template": {"metadata": {"labels": {"tier": "1"}}}}
    assert settings.addition(workload(labels={"team": "", "tier": ""}, annotations={"a": ""})) == {}


def test_another_bundle_makes_new_pods() -> None:
    one, other = (
        PodSettings(PodsSpec(ca_bundle=text)).trust(workload())["template"]
        for text in (CA, Authority().ca_pem.decode())
    )
    assert one["metadata"] != other["metadata"]
    assert one["spec"] == other["spec"]
    assert [item["name"] for item in one["spec"]["containers"]] == ["operator", "vector"]
    assert PodSettings(PodsSpec()).trust(workload()) == {}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"labels": {"team": "ml"}}, "cannot be given these labels and annotations"),
        ({"ca_bundle": CA}, "cannot be given authorities to trust"),
        ({"image_registry": "registry.example"}, ""),
    ],
)
def test_that_the_hook_is_left_out_is_said(said: dict[str, Any], told: str) -> None:
    settings = PodSettings(PodsSpec(**said))
    assert settings.without_hook is bool(told)
    assert bool(list(settings.notes())) is bool(told)
    assert told in "".join(settings.notes())


def test_parts_of_one_object_are_joined_by_name() -> None:
    one = {"containers": [{"name": "operator", "env": [{"name": "A"}]}], "volumes": [{"name": "a"}]}
    other = {"containers": [{"name": "operator", "x": 1}, {"name": "vector"}]}
    assert joined(one, other) == {
        "containers": [{"name": "operator", "env": [{"name": "A"}], "x": 1}, {"name": "vector"}],
        "volumes": [{"name": "a"}],
    }
    assert joined({}, one) == joined(one, {}) == one


def test_a_users_tolerations_come_beside_those_of_all_pods() -> None:
    ours = given({"operator": {"tolerations": [{"key": "a"}], "labels": {}}})
    assert ours == {"operator": {"tolerations": [{"key": "a"}]}}
    assert beside(ours, {"operator": {"tolerations": [{"key": "b"}]}}) == {
        "operator": {"tolerations": [{"key": "a"}, {"key": "b"}]}
    }


def test_a_workload_is_seen_beforehand_as_it_will_be() -> None:
    settings = PodSettings(PodsSpec(labels={"team": "ml"}))
    plugin = {"kind": "DaemonSet", **workload(labels={"app": "plugin"})}

    seen = with_added(plugin, settings.addition)["spec"]["template"]["metadata"]["labels"]
    assert seen == {"app": "plugin", "team": "ml"}
    assert with_added(plugin, None) is plugin
    hook = {**plugin, "kind": "Job"}
    assert with_added(hook, settings.addition) is hook
