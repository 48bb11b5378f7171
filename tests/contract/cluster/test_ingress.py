"""Ways in without a Gateway: ingress-nginx of each install's own, and what the user has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyscale_k8s_cli.addons import ClusterSide
from anyscale_k8s_cli.addons.nginx import controller_service, ingress_class
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.cluster import cluster_checks, rights
from anyscale_k8s_cli.checks.nginx import nginx_checks, snippets
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.operations.entrance import Entrance
from anyscale_k8s_cli.operations.permissions import in_cluster
from anyscale_k8s_cli.provider import Cluster, LoadBalancer, Verb
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.spec import CloudSpec

from .site import CPU, Site

API = "networking.k8s.io/v1"
RBAC = "rbac.authorization.k8s.io/v1"
NGINX = {"network": {"kind": "nginx", "allow_cidrs": ["198.51.100.0/24"]}}
SPEC = CloudSpec(provider="eks", name="one", namespace="one-ns", **NGINX)
SNIPPET = "nginx.ingress.kubernetes.io/configuration-snippet"


def two(site: Site, **changes: Any) -> tuple[ClusterSide, ClusterSide]:
    return (
        site.install("one", "one-ns", spec={**CPU, **NGINX}, **changes),
        site.install("two", "two-ns", spec={**CPU, **NGINX}, **changes),
    )


@pytest.fixture(scope="module")
def pair(lasting: Site) -> tuple[Site, ClusterSide, ClusterSide]:
    """Two clouds on one cluster, each with a controller of its own."""
    one, other = two(lasting)
    lasting.world.apply(one.resources)
    lasting.world.apply(other.resources)
    return lasting, one, other


def entrance(site: Site, side: ClusterSide) -> Entrance:
    return Entrance(
        site.world.kubernetes,
        side.way_in.install,
        side.operator.output.values["networking"],
        lambda: LoadBalancer("the pool"),
        "set up again",
    )


def ingress(site: Site, side: ClusterSide, name: str, place: str, **annotations: str) -> None:
    service = {"name": "app", "port": {"number": 80}}
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": service}}
    site.world.kubernetes.create(
        {
            "apiVersion": API,
            "kind": "Ingress",
            "metadata": {"name": name, "namespace": place, "annotations": annotations},
            "spec": {
                "ingressClassName": ingress_class(side.way_in.install),
                "rules": [{"http": {"paths": [path]}}],
            },
        }
    )


def served(site: Site, name: str, place: str) -> list[Document]:
    found = site.world.kubernetes.get(API, "Ingress", name, place)
    given: list[Document] = found["status"].get("loadBalancer", {}).get("ingress") or []
    return given


def test_each_install_has_a_class_that_is_nobodys_default(
    pair: tuple[Site, ClusterSide, ClusterSide],
) -> None:
    site, one, other = pair
    classes = {
        item["metadata"]["name"]: item for item in site.world.kubernetes.list(API, "IngressClass")
    }
    assert set(classes) == {ingress_class(side.way_in.install) for side in (one, other)}
    assert len({item["spec"]["controller"] for item in classes.values()}) == 2
    assert not any(
        item["metadata"].get("annotations", {}).get("ingressclass.kubernetes.io/is-default-class")
        for item in classes.values()
    )

    for side in (one, other):
        address = side.way_in.output.address
        told = side.operator.output.values["networking"]
        assert told["gateway"] == {"enabled": False}
        assert told["ingress"]["address"] == address.value
        service = site.world.kubernetes.get(
            "v1", "Service", *_place(controller_service(side.way_in.install))
        )
        assert service["spec"]["loadBalancerSourceRanges"] == ["198.51.100.0/24"]
        assert service["metadata"]["annotations"]["example.com/type"] == "nlb"
        assert entrance(site, side).check() == Finding(Status.PASS, address.value)
    assert one.way_in.output.address != other.way_in.output.address


def _place(reference: Any) -> tuple[str, str]:
    return reference.name, reference.namespace


def test_its_controller_serves_its_own_namespace_alone(
    pair: tuple[Site, ClusterSide, ClusterSide],
) -> None:
    """A snippet that somebody else writes elsewhere is never run."""
    site, one, other = pair
    annotations = {SNIPPET: "more_set_headers 'a: b';"}
    ingress(site, other, "app", "two-ns", **annotations)
    ingress(site, one, "evil", "two-ns", **annotations)
    site.world.run.wait_for(
        lambda: _served_now(site, "app", "two-ns"), what="the Ingress", timeout=10, every=0.05
    )
    assert served(site, "app", "two-ns") == [{"ip": other.way_in.output.address.value}]
    assert served(site, "evil", "two-ns") == []


def _served_now(site: Site, name: str, place: str) -> None:
    if not served(site, name, place):
        raise StillWaiting("no address")


def test_a_second_setup_changes_nothing_and_a_lost_class_comes_back(
    pair: tuple[Site, ClusterSide, ClusterSide],
) -> None:
    site, one, _ = pair
    again, _ = two(site)
    assert site.world.changes(again.resources) == {}
    reference = replace(
        controller_service(one.way_in.install),
        api_version=API,
        kind="IngressClass",
        name=ingress_class(one.way_in.install),
        namespace=None,
    )
    site.world.kubernetes.delete(reference)
    gone = entrance(site, one).check()
    assert gone.status is Status.FAIL
    assert "no such class" in gone.detail
    again, _ = two(site)
    assert site.world.changes(again.resources) == {"helm:ingress/one-ns/ingress-nginx": "update"}
    site.world.apply(again.resources)
    assert entrance(site, again).check().status is Status.PASS


def test_who_may_write_snippets_is_told(pair: tuple[Site, ClusterSide, ClusterSide]) -> None:
    site, *_ = pair
    kubernetes = site.world.kubernetes
    rule = {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["patch"]}
    role = {"metadata": {"name": "web"}, "rules": [rule]}
    kubernetes.create({"apiVersion": RBAC, "kind": "ClusterRole", **role})

    def bind(place: str, user: str) -> None:
        kubernetes.create(
            {
                "apiVersion": RBAC,
                "kind": "RoleBinding",
                "metadata": {"name": "web", "namespace": place},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "web",
                },
                "subjects": [
                    {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
                ],
            }
        )

    bind("one-ns", "jo")
    bind("two-ns", "kim")
    found = {bound.code: bound.run() for bound in nginx_checks(SPEC, kubernetes)}
    assert "March 2026" in found["ingress-nginx-support"].detail
    narrow, wide = found["ingress-nginx-snippets"], snippets(kubernetes, None)
    assert narrow.status is wide.status is Status.WARN
    assert "User jo (one-ns)" in narrow.evidence
    assert "User kim (two-ns)" not in narrow.evidence
    assert {"User jo (one-ns)", "User kim (two-ns)"} <= set(wide.evidence)
    assert "ServiceAccount one-ns/anyscale-operator (one-ns)" in narrow.evidence
    assert "who may do everything" in narrow.evidence[-1]
    assert "Group system:masters" in narrow.evidence[-1]
    nobody = snippets(kubernetes, "kube-public")
    assert nobody.status is Status.PASS
    assert nobody.detail.endswith("may write Ingresses in namespace kube-public")


def test_a_teardown_takes_its_own_and_leaves_the_others(
    pair: tuple[Site, ClusterSide, ClusterSide],
) -> None:
    site, *_ = pair
    going = site.install("one", "one-ns", teardown=True)
    fate = site.remove(going)
    assert fate["helm:ingress/one-ns/ingress-nginx"] == "delete"
    assert fate["k8s:namespace/one-ns"] == "delete"
    left = site.world.kubernetes.list(API, "IngressClass")
    assert [item["metadata"]["name"] for item in left] == [
        ingress_class(site.install("two", "two-ns").way_in.install)
    ]
    assert site.world.changes(two(site)[1].resources) == {}


def test_with_none_nothing_is_made_and_the_address_is_told(site: Site) -> None:
    network = {"kind": "none", "address": "in.example.com"}
    side = site.install(spec={"network": network})
    assert site.world.changes(side.resources) == {
        "k8s:namespace/ray": "create",
        "helm:release/nvidia-device-plugin/nvdp": "create",
        "k8s:namespace/nvidia-device-plugin": "create",
        "k8s:serviceaccount/ray/anyscale-operator": "create",
        "helm:release/ray/anyscale-operator": "create",
        "address/in.example.com": "adopt",
    }
    site.world.apply(side.resources)
    told = side.operator.output.values["networking"]
    assert told == {"gateway": {"enabled": False}, "ingress": {"address": "in.example.com"}}
    assert site.world.kubernetes.list("v1", "Service", "ray") == []

    spec = CloudSpec(provider="eks", name="prod", namespace="ray", network=network)
    cluster = Cluster("one", "cluster/one", "1", "eu-west-1", "1.33", site.world.access())

    def own_class() -> Finding:
        bound = cluster_checks(spec, cluster, site.world.kubernetes, ())
        return next(item for item in bound if item.code == "ingress-class").run()

    assert own_class().status is Status.WARN
    found = entrance(site, side).check()
    assert found.status is Status.WARN, "as setup has it: the way in is the user's"
    assert "class nginx" in found.detail
    site.world.kubernetes.create(
        {
            "apiVersion": API,
            "kind": "IngressClass",
            "metadata": {"name": "nginx"},
            "spec": {"controller": "example.com/own"},
        }
    )
    assert own_class() == Finding(Status.PASS, "nginx")
    found = entrance(site, side).check()
    assert found.status is Status.UNKNOWN
    assert "in.example.com" in found.detail


def test_the_rights_for_it_are_asked_for_and_printed(site: Site) -> None:
    nobody = Kubernetes(site.world.access(site.world.nobody), site.world.run)
    found = rights(nobody, "ray", network="nginx")
    assert found.status is Status.FAIL
    assert any("create" in line and "ingressclasses." in line for line in found.evidence)
    assert "--verb setup --network nginx | " in found.fix
    plain = rights(nobody, "ray")
    assert "--network" not in plain.fix
    assert not any("ingressclasses" in line for line in plain.evidence)
    [printed] = in_cluster(Verb.SETUP, "nginx")
    assert "ingressclasses" in printed.text
    assert "ingressclasses" not in in_cluster(Verb.SETUP)[0].text
