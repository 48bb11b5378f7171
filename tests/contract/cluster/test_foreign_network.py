"""Definitions, controllers and ways in that somebody else looks after: used, and never written."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.addons import ClusterSide
from anyscale_k8s_cli.addons.gateway_controller import NAMESPACE, RELEASE
from anyscale_k8s_cli.addons.nginx import controller_service
from anyscale_k8s_cli.cluster.definitions import Definitions
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.resource import Change

from .site import Site

DEFINITION = "CustomResourceDefinition"
API = "apiextensions.k8s.io/v1"
GATEWAY_API = "k8s:definitions/gateway.networking.k8s.io"
ENVOY = "k8s:definitions/gateway.envoyproxy.io"
MARKS: tuple[Document, ...] = (
    {"annotations": {"argocd.argoproj.io/tracking-id": "net:apiextensions.k8s.io/x:y"}},
    {
        "labels": {
            "kustomize.toolkit.fluxcd.io/name": "net",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }
    },
    # A platform's own, by a field manager alone.
    {},
)


def definitions(side: ClusterSide) -> list[Definitions]:
    return [item for item in side.resources if isinstance(item, Definitions)]


def there(site: Site) -> dict[str, Document]:
    """Each definition without what the cluster itself writes of it."""
    found = site.world.kubernetes.list(API, DEFINITION)
    kept = ("annotations", "labels", "generation", "uid")
    return {
        item["metadata"]["name"]: {name: item["metadata"].get(name) for name in kept}
        for item in found
    }


def bring(site: Site, mark: Document) -> None:
    """The definitions of the chart, as somebody else's tool puts them there."""
    for part in definitions(site.install()):
        for document in part._wanted.render(part._wanted.version):
            theirs = {**document, "metadata": {**document["metadata"], **mark}}
            site.world.kubernetes.create(theirs)


@pytest.fixture(params=range(len(MARKS)), ids=["argo", "flux", "unmarked"])
def brought(request: pytest.FixtureRequest, lasting: Site) -> Any:
    bring(lasting, MARKS[request.param])
    yield lasting
    for name in there(lasting):
        lasting.world.kubernetes.delete(Reference(API, DEFINITION, name))
        lasting.world.kubernetes.wait_gone(Reference(API, DEFINITION, name), timeout=10)


def test_definitions_of_others_are_used_and_never_written(brought: Site) -> None:
    before = there(brought)
    side = brought.install(spec={"gpu": "off"})
    changes = brought.world.changes(side.resources)
    assert (changes[GATEWAY_API], changes[ENVOY]) == ("keep", "keep")
    assert changes[f"helm:release/{NAMESPACE}/{RELEASE}"] == "create"
    brought.world.apply(definitions(side))
    assert there(brought) == before
    fate = brought.remove(_only(brought.install(teardown=True)))
    assert fate == {GATEWAY_API: "keep", ENVOY: "keep"}
    assert there(brought) == before


def _only(side: ClusterSide) -> Any:
    return type("Side", (), {"resources": definitions(side)})()


def test_never_forbids_even_what_is_missing(lasting: Site) -> None:
    side = lasting.install(spec={"network": {"crds": "never"}})
    planned = lasting.world.plan(definitions(side))
    assert [item.change for item in planned.changes] == [Change.REFUSE, Change.REFUSE]
    assert there(lasting) == {}


@pytest.mark.parametrize("brought", [2], indirect=True)
def test_with_never_what_is_there_is_the_users(brought: Site) -> None:
    before = there(brought)
    side = brought.install(spec={"network": {"crds": "never"}})
    planned = brought.world.plan(definitions(side))
    assert [item.change for item in planned.changes] == [Change.ADOPT, Change.ADOPT]
    brought.world.apply(definitions(side))
    assert there(brought) == before


def test_a_gateway_of_a_gitops_tool_is_refused_and_so_is_its_release(lasting: Site) -> None:
    """Under the names that ours would have: neither is taken over."""
    bring(lasting, MARKS[2])
    kubernetes = lasting.world.kubernetes
    kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray"}})
    kubernetes.create(
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": {"name": "gateway", "namespace": "ray", **MARKS[0]},
            "spec": {
                "gatewayClassName": "theirs",
                "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
            },
        }
    )
    side = lasting.install(spec={"gpu": "off"})
    [refused] = [
        item for item in lasting.world.plan(side.resources).changes if item.resource is side.way_in
    ]
    assert refused.change is Change.REFUSE
    assert "Argo CD application net" in refused.decision.reason

    theirs = lasting.install("other", spec={"network": {"kind": "nginx"}, "gpu": "off"})
    theirs.way_in.create()
    side = lasting.install(spec={"network": {"kind": "nginx"}, "gpu": "off"})
    [refused] = [
        item for item in lasting.world.plan(side.resources).changes if item.resource is side.way_in
    ]
    assert refused.change is Change.REFUSE
    service = controller_service(theirs.way_in.install)
    assert kubernetes.get("v1", "Service", service.name, service.namespace) is not None
