"""Everything that goes into a cluster, with real helm, the stand-in charts and their programs."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable
from anyscale_k8s_cli.cluster.release_records import in_force, newest
from anyscale_k8s_cli.events import StepWaiting
from anyscale_k8s_cli.plan import PlannedChange
from anyscale_k8s_cli.resource import (
    Change,
)
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import AddressPool
from tests.probing import left_by_probe

from .later import OPERATOR, fails_and_is_taken_back
from .site import CPU, Site, inventory, make_site


@pytest.fixture(scope="module")
def healthy(lasting: Site) -> Site:
    """An install as it should be; each test leaves it so."""
    lasting.world.apply(lasting.install().resources)
    return lasting


def test_setup_again_an_upgrade_that_fails_registration_again_and_teardown(
    make_world: Any, helm3: HelmExecutable, tmp_path: Path
) -> None:
    """With helm 3; what helm 4 does is looked at in the others."""
    site = make_site(make_world, helm3, tmp_path)
    before = inventory(site.world)
    side = site.install()
    assert set(site.world.changes(side.resources).values()) == {"create"}

    site.world.apply(side.resources)
    assert len(site.proven) == 1
    assert side.way_in.output.address is not None
    values = side.operator.output.values
    assert values["networking"]["gateway"]["ip"] == side.way_in.output.address.value
    assert values["global"] == {
        "cloudDeploymentId": "cldrsrc_prod",
        "cloudProvider": "aws",
        "controlPlaneURL": site.plane.url,
        "aws": {"region": "eu-west-1"},
        "auth": {"iamIdentity": "role-for-helm"},
    }

    mark = len(site.world.wire.calls())
    again = site.install()
    assert site.world.changes(again.resources) == {}
    site.world.apply(again.resources)
    writes = [call.operation for call in site.world.wire.calls()[mark:] if call.operation.write]
    # The cluster's own controllers go on with what they do.
    assert [item for item in writes if not item.principal.startswith("system:")] == []

    fails_and_is_taken_back(site, tmp_path / "later", OPERATOR)
    registration_made_again(site)
    leave_probe(site)
    fate = site.remove(site.install(teardown=True))
    assert set(fate.values()) == {"delete"}
    assert {"k8s:job/ray/anyscale-k8s-probe", "k8s:configmap/ray/anyscale-k8s-probe"} <= set(fate)
    assert inventory(site.world) == before


def registration_made_again(site: Site) -> None:
    """The old one's webhook would refuse every upgrade: the control plane knows it no longer."""
    site.plane.registered.clear()
    again = site.install(resource_id="cldrsrc_again")
    assert "helm:release/ray/anyscale-operator" in site.world.changes(again.resources)
    site.world.apply(again.resources)
    assert site.world.changes(site.install(resource_id="cldrsrc_again").resources) == {}
    webhook = site.world.kubernetes.get(
        "admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "anyscale-operator-ray"
    )
    assert webhook["webhooks"][0]["clientConfig"]["url"].endswith("/admission/cldrsrc_again")


def leave_probe(site: Site) -> None:
    """What a run has made that was killed."""
    around = site.world.surroundings()
    for manifest in left_by_probe("ray"):
        site.world.kubernetes.create(around.marked(manifest))


def test_each_object_deleted_by_hand_comes_back_and_nothing_else_changes(healthy: Site) -> None:
    gateway = Reference("gateway.networking.k8s.io/v1", "Gateway", "gateway", "ray")
    healthy.world.kubernetes.delete(gateway)
    healthy.world.kubernetes.delete(Reference("v1", "ConfigMap", "vector", "ray"))
    definition = Reference(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "grpcroutes.gateway.networking.k8s.io",
    )
    healthy.world.kubernetes.delete(definition)
    healthy.world.kubernetes.wait_gone(definition, timeout=10)
    changes = healthy.world.changes(healthy.install().resources)
    assert changes["k8s:definitions/gateway.networking.k8s.io"] == "update"
    assert changes["helm:release/ray/anyscale-operator"] == "update"
    # Its proxy may still be there: then the Gateway is what is missing of it.
    assert changes["k8s:gateway/ray/gateway"] in ("create", "update")
    assert len(changes) == 3
    healthy.world.apply(healthy.install().resources)
    assert healthy.world.changes(healthy.install().resources) == {}


def test_a_change_by_hand_in_a_release_is_named_and_mended(healthy: Site) -> None:
    deployment = Reference("apps/v1", "Deployment", "anyscale-operator", "ray")
    healthy.world.kubernetes.patch_merge(deployment, {"spec": {"replicas": 0}})
    item = _planned(healthy, "helm:release/ray/anyscale-operator")
    assert item.change is Change.UPDATE
    assert item.decision.reason == "Deployment anyscale-operator in ray: spec.replicas: 0 → 1"
    healthy.world.apply(healthy.install().resources)
    found = healthy.world.kubernetes.get("apps/v1", "Deployment", "anyscale-operator", "ray")
    assert found["spec"]["replicas"] == 1


def test_rays_pods_have_an_account_of_their_own_where_it_is_said(healthy: Site) -> None:
    own, release = "k8s:serviceaccount/ray/anyscale-workloads", "helm:release/ray/anyscale-operator"
    world, before = healthy.world, len(healthy.proven)
    wanted = healthy.install(separate=True).resources
    assert world.changes(wanted) == {own: "create", release: "update"}
    world.apply(wanted)
    shown = [jwt.decode(item, options={"verify_signature": False}) for item in healthy.proven]
    assert [item["sub"].rpartition(":")[2] for item in shown[before:]] == [
        "anyscale-operator",
        "anyscale-workloads",
    ]
    annotation = {"eks.amazonaws.com/role-arn": "their-role-for-helm"}
    reference = Reference("v1", "ServiceAccount", "anyscale-workloads", "ray")
    found = world.kubernetes.get("v1", "ServiceAccount", "anyscale-workloads", "ray")
    assert annotation.items() <= found["metadata"]["annotations"].items()
    assert world.changes(healthy.install(separate=True).resources) == {}

    theirs = {"metadata": {"annotations": {"eks.amazonaws.com/role-arn": "somebody-elses"}}}
    world.kubernetes.patch_merge(reference, theirs)
    item = _planned(healthy, own, separate=True)
    assert item.change is Change.UPDATE
    assert "somebody-elses" in item.decision.reason
    world.apply(healthy.install(separate=True).resources)
    # Once more the same: the account stays for pods that are there, until a teardown.
    world.apply(healthy.install().resources)
    assert world.kubernetes.get("v1", "ServiceAccount", "anyscale-workloads", "ray") is not None
    (left,) = [item for item in healthy.install(teardown=True).resources if item.key == own]
    left.delete(left.read())
    assert world.kubernetes.get("v1", "ServiceAccount", "anyscale-workloads", "ray") is None
    assert world.changes(healthy.install().resources) == {}


def _planned(site: Site, key: str, **changes: Any) -> PlannedChange:
    items = site.world.plan(site.install(**changes).resources).changes
    return next(item for item in items if item.resource.key == key)


def test_changed_values_are_named_and_never_shown(healthy: Site) -> None:
    values = {"operator": {"container": {"additionalEnv": [{"name": "A", "value": "s3cret"}]}}}
    item = _planned(
        healthy, "helm:release/ray/anyscale-operator", spec={"operator": {"values": values}}
    )
    assert item.change is Change.UPDATE
    assert "values.operator.container" in item.decision.reason
    assert "s3cret" not in item.decision.reason


class _Replacing(AddressPool):
    """Another load balancer for each kind. A Service keeps the old address until `seen`."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[str, str] = {}
        self.seen: Callable[[], bool] = lambda: True

    async def ensure(self, service: dict[str, Any]) -> list[dict[str, Any]] | None:
        uid, annotations = service["metadata"]["uid"], service["metadata"]["annotations"]
        if self._kinds.setdefault(uid, annotations["example.com/type"]) != (
            kind := annotations["example.com/type"]
        ):
            while not self.seen():  # noqa: ASYNC110 - the tool runs in another thread
                await asyncio.sleep(0.02)
            await self.remove(service)
            self._kinds[uid] = kind
        return await super().ensure(service)


def test_the_operator_is_told_the_address_of_the_load_balancer_that_is_asked_for(
    make_world: Any, helm4: HelmExecutable, tmp_path: Path
) -> None:
    """Where its kind changes, the old address stands there until the new one does."""
    pool = _Replacing()
    site = make_site(make_world, helm4, tmp_path, load_balancers=pool)
    before = site.install(spec=CPU)
    site.world.apply(before.resources)
    after = site.install(spec=CPU, kind="other")
    changes = site.world.changes(after.resources)
    assert changes["helm:release/ray/anyscale-operator"] == "update"

    old = before.way_in.output.address
    waiting = f"{old.value} is that of a load balancer of another kind"
    pool.seen = lambda: any(
        isinstance(event, StepWaiting) and event.detail == waiting for event in site.world.events
    )
    site.world.apply(after.resources)
    address = after.way_in.output.address
    assert address is not None
    assert address != old
    assert after.operator.output.values["networking"]["gateway"]["ip"] == address.value


def test_what_the_api_server_refuses_is_the_cause(healthy: Site) -> None:
    """And not a pod that happens to be starting. What is refused no longer is then mended."""
    site = healthy
    site.plane.registered.clear()
    types = {"additional": {"big": {"resources": {"CPU": 2, "memory": "8Gi"}}}}
    values = {"workloads": {"instanceTypes": types}}
    side = site.install(spec={"operator": {"values": values}})
    site.plane.registered.clear()
    with pytest.raises(errors.CliError) as caught:
        site.world.apply(side.resources)
    assert caught.value.code is errors.ADMISSION_DENIED
    assert "cloud resource cldrsrc_prod is not registered" in caught.value.cause
    assert caught.value.fix.startswith("mend what Anyscale complains of")
    # What the cluster has is the revision before.
    last, there = (
        look(site.world.kubernetes, "ray", "anyscale-operator") for look in (newest, in_force)
    )
    assert (last.status, there.status) == ("failed", "deployed")
    assert there.revision < last.revision
    assert "additional" not in there.values.get("workloads", {}).get("instanceTypes", {})
    again = site.install()
    site.world.apply(again.resources)
    assert site.world.changes(again.resources) == {}


def test_a_release_left_pending_is_recovered(healthy: Site) -> None:
    record = newest(healthy.world.kubernetes, "ray", "anyscale-operator")
    assert record is not None
    healthy.leave_pending("ray", "anyscale-operator", "pending-upgrade")
    item = _planned(healthy, "helm:release/ray/anyscale-operator")
    assert item.change is Change.UPDATE
    assert "pending-upgrade" in item.decision.reason
    healthy.world.apply(healthy.install().resources)
    assert healthy.world.changes(healthy.install().resources) == {}


def test_the_operators_own_complaint_is_the_cause(site: Site) -> None:
    site.operator.complaint = "identity: the role does not trust this service account"
    with pytest.raises(errors.CliError) as caught:
        site.world.apply(site.install(spec=CPU, timeouts={"operator": 3}).resources)
    problem = caught.value
    assert problem.code is errors.OPERATOR_UNHEALTHY
    assert "the role does not trust this service account" in problem.cause
    assert any("container operator: running and not ready" in line for line in problem.evidence)


def test_a_chart_of_ones_own_is_installed_and_stays(healthy: Site, tmp_path: Path) -> None:
    """Who names a chart need not ask for an upgrade besides."""
    said = {"operator": {"chart": str(_own_chart(healthy, tmp_path))}}
    item = _planned(healthy, "helm:release/ray/anyscale-operator", spec=said)
    assert item.decision.reason == "chart version: '1.8.0' → '1.8.1'"
    side = healthy.install(spec=said)
    healthy.world.apply(side.resources)
    assert side.operator.output.chart_version == "1.8.1"
    assert healthy.world.changes(healthy.install().resources) == {}


def _own_chart(site: Site, folder: Path) -> Path:
    """A folder with the operator's chart, in a version that nobody serves."""
    archive = asyncio.run(site.tools.charts.fetch("anyscale-operator"))
    with tarfile.open(archive.path) as bundle:
        bundle.extractall(folder, filter="data")
    about = folder / "anyscale-operator" / "Chart.yaml"
    about.write_text(about.read_text().replace("version: 1.8.0", "version: 1.8.1"))
    return about.parent
