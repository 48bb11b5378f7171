"""What the user has in the cluster already: a Gateway, and storage that pods share."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from anyscale_k8s_cli.addons import ClusterSide
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.resource import Change

from .site import CPU, Site

API = "gateway.networking.k8s.io/v1"
BROUGHT = {**CPU, "existing": {"gateway": "edge/front"}}


@pytest.fixture(scope="module")
def edge(lasting: Site) -> Site:
    """Where somebody has a Gateway `edge/front`, with a controller and a class that serve it."""
    one = lasting.install("one", spec=CPU)
    needed = [item for item in one.resources if item is not one.operator]
    lasting.world.apply(needed)
    lasting.world.kubernetes.create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge"}}
    )
    make(lasting, listeners("two"))
    return lasting


@pytest.fixture
def front(edge: Site) -> Document:
    """The Gateway as cloud `two` needs it, whatever the test before has done to it."""
    change(edge, listeners("two"))
    found = edge.world.kubernetes.get(API, "Gateway", "front", "edge")
    assert found is not None
    return found


def listeners(cloud: str) -> list[Document]:
    def listener(name: str, letter: str, certificate: str) -> Document:
        return {
            "name": name,
            "port": 443,
            "protocol": "HTTPS",
            "hostname": f"*.{letter}.userdata.example",
            "tls": {
                "mode": "Terminate",
                "certificateRefs": [
                    {"kind": "Secret", "name": certificate, "namespace": "two-ns"},
                ],
            },
            "allowedRoutes": {"namespaces": {"from": "All"}},
        }

    return [
        listener("sessions", "i", f"anyscale-cldrsrc-{cloud}-certificate"),
        listener("services", "s", f"anyscale-svc-cldrsrc-{cloud}-certificate"),
        {"name": "plain", "port": 80, "protocol": "HTTP"},
    ]


def make(site: Site, wanted: list[Document]) -> None:
    classes = site.world.kubernetes.list(API, "GatewayClass")
    site.world.kubernetes.create(
        {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": {"name": "front", "namespace": "edge"},
            "spec": {
                "gatewayClassName": classes[0]["metadata"]["name"],
                "listeners": wanted,
            },
        }
    )


def two(site: Site) -> ClusterSide:
    return site.install("two", namespace="two-ns", spec=BROUGHT)


def planned(site: Site, side: ClusterSide) -> Any:
    return next(
        item for item in site.world.plan(side.resources).changes if item.resource is side.way_in
    )


def change(site: Site, wanted: list[Document]) -> None:
    site.world.kubernetes.patch_merge(two(site).way_in.reference, {"spec": {"listeners": wanted}})


def test_a_gateway_that_fits_is_used_and_stays_as_it_is(edge: Site, front: Document) -> None:
    side = two(edge)
    assert planned(edge, side).change is Change.ADOPT
    kinds = {resource.kind for resource in side.resources}
    assert "k8s:definitions" not in kinds

    edge.world.apply(side.resources)
    values = side.operator.output.values["networking"]["gateway"]
    assert (values["namespace"], values["name"]) == ("edge", "front")
    assert side.way_in.output.address is not None
    assert values["ip"] == side.way_in.output.address.value
    assert by_people(edge) == as_by_people(front)
    fate = edge.remove(two_again(edge))
    assert "k8s:gateway/edge/front" not in fate
    assert by_people(edge) == as_by_people(front)


def two_again(site: Site) -> ClusterSide:
    """For its deletion."""
    return site.install("two", namespace="two-ns", spec=BROUGHT, teardown=True)


def by_people(site: Site) -> Document:
    return as_by_people(site.world.kubernetes.get(API, "Gateway", "front", "edge"))


def as_by_people(gateway: Document) -> Document:
    """All of it but what its controller tells of it."""
    told = ("resourceVersion", "managedFields")
    metadata = {key: item for key, item in gateway["metadata"].items() if key not in told}
    return {"metadata": metadata, "spec": gateway["spec"]}


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("hostname", "*.x.userdata.example", "no HTTPS listener of it serves *.i.userdata"),
        ("protocol", "TLS", "no HTTPS listener of it serves *.i.userdata"),
        ("port", 8443, "its listener sessions is on port 8443, not 443"),
        ("allowedRoutes", {"namespaces": {"from": "Same"}}, "takes no routes from the namespace"),
    ],
)
def test_what_a_gateway_lacks_is_told_with_the_command_that_adds_it(
    edge: Site, front: Document, field: str, value: Any, reason: str
) -> None:
    wrong = copy.deepcopy(listeners("two"))
    wrong[0][field] = value
    if value == "TLS":
        wrong[0]["tls"] = {"mode": "Passthrough"}
    change(edge, wrong)
    found = planned(edge, two(edge))
    assert found.change is Change.REFUSE
    assert reason in found.decision.reason
    patch = found.decision.fix.split("-p ", 1)[1].strip("'")
    edge.world.kubernetes.patch_merge(two(edge).way_in.reference, json.loads(patch))
    assert planned(edge, two(edge)).change is Change.ADOPT


def test_a_certificate_of_another_registration_is_told(edge: Site, front: Document) -> None:
    change(edge, listeners("other"))
    found = planned(edge, two(edge))
    assert found.change is Change.REFUSE
    assert "does not use the certificate two-ns/anyscale-cldrsrc-two-certificate" in (
        found.decision.reason
    )


def test_a_gateway_that_is_not_there(site: Site) -> None:
    found = planned(site, two(site))
    assert found.change is Change.REFUSE


def claim(site: Site, mode: str) -> None:
    site.world.kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "shared", "namespace": "default"},
            "spec": {
                "accessModes": [mode],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        }
    )


@pytest.mark.parametrize(
    ("mode", "expected"), [("ReadWriteMany", Change.ADOPT), ("ReadWriteOnce", Change.REFUSE)]
)
def test_a_claim_must_be_one_that_pods_can_share(site: Site, mode: str, expected: Change) -> None:
    claim(site, mode)
    files = {"persistent_volume_claim": "shared"}
    side = site.install(namespace="default", spec={"existing": {"file_storage": files}})
    [found] = [
        item
        for item in site.world.plan(side.resources).changes
        if item.resource.kind == "k8s:file-storage"
    ]
    assert found.change is expected


def test_a_driver_must_be_there(site: Site) -> None:
    files = {"csi_ephemeral_volume_driver": "efs.csi.example"}
    side = site.install(spec={"existing": {"file_storage": files}})

    def found() -> Change:
        changes = site.world.plan(side.resources).changes
        return next(item.change for item in changes if item.resource.kind == "k8s:file-storage")

    assert found() is Change.REFUSE
    site.world.kubernetes.create(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSIDriver",
            "metadata": {"name": "efs.csi.example"},
            "spec": {},
        }
    )
    assert found() is Change.ADOPT
