"""The closed list of causes why users are not let in at an address: each planted, each told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.gateway_controller import CONTROLLER, NAMESPACE
from anyscale_k8s_cli.addons.gateway_definitions import gateway_definitions
from anyscale_k8s_cli.addons.no_address import proxies, why_no_address, without_node
from anyscale_k8s_cli.addons.no_load_balancer import NoAddress
from anyscale_k8s_cli.checks import Check, Finding, Status, When
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.helm_executable import HelmExecutable
from anyscale_k8s_cli.cluster.placing import Placing
from anyscale_k8s_cli.cluster.scale_up import Patience
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.aks import load_balancer as aks
from anyscale_k8s_cli.providers.coreweave import load_balancer as coreweave
from anyscale_k8s_cli.providers.eks import load_balancer as eks
from anyscale_k8s_cli.providers.generic import troubles as generic
from anyscale_k8s_cli.providers.gke import load_balancer as gke
from anyscale_k8s_cli.providers.nebius import load_balancer as nebius
from anyscale_k8s_cli.providers.oke import load_balancer as oke
from anyscale_k8s_cli.run import StillWaiting
from anyscale_k8s_cli.sandbox.kubernetes.image_pulls import NO_SUCH_IMAGE
from anyscale_k8s_cli.sandbox.kubernetes.store import Write
from anyscale_k8s_cli.troubles import Cause, Trouble

from .site import Site, make_site

API = "gateway.networking.k8s.io/v1"
GATEWAY = Reference(API, "Gateway", "gateway", "ray")
OWNER = "gateway.envoyproxy.io/owning-gateway"
LABELS = {f"{OWNER}-name": "gateway", f"{OWNER}-namespace": "ray"}
SYNC = "Error syncing load balancer: failed to ensure load balancer: "

# What controllers say on each platform, and what is the matter then.
SAID: tuple[tuple[tuple[Trouble, ...], str, str, Cause], ...] = (
    (
        eks.TROUBLES,
        "FailedBuildModel",
        "Failed build model due to unable to resolve at least one subnet (0 match VPC and tags: "
        "[kubernetes.io/role/elb])",
        Cause.SUBNETS,
    ),
    (
        eks.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "could not find any suitable subnets for creating the ELB",
        Cause.SUBNETS,
    ),
    (
        eks.TROUBLES,
        "FailedDeployModel",
        "Failed deploy model due to InvalidSubnet: Not enough IP space available in subnet-1. "
        "ELB requires at least 8 free IP addresses in each subnet.",
        Cause.ADDRESSES,
    ),
    (
        eks.TROUBLES,
        "FailedDeployModel",
        "Failed deploy model due to AccessDenied: User: arn:x is not authorized to perform: "
        "elasticloadbalancing:CreateLoadBalancer because no identity-based policy allows it",
        Cause.RIGHTS,
    ),
    (
        eks.TROUBLES,
        "FailedDeployModel",
        "Failed deploy model due to AccessDenied: User: arn:x is not authorized to perform: "
        "elasticloadbalancing:AddTags with an explicit deny in a service control policy",
        Cause.POLICY,
    ),
    (
        eks.TROUBLES,
        "FailedDeployModel",
        "Failed deploy model due to TooManyLoadBalancers: The maximum number has been reached",
        Cause.QUOTA,
    ),
    (
        eks.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "Multiple tagged security groups found for instance i-1",
        Cause.NOT_UNDERSTOOD,
    ),
    (
        aks.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + 'HTTPStatusCode: 400, RawError: {"error":{"code":"PublicIPCountLimitReached"}}',
        Cause.QUOTA,
    ),
    (
        aks.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "AuthorizationFailed: The client 'x' does not have authorization to perform action "
        "'Microsoft.Network/virtualNetworks/subnets/read' over scope '/subscriptions/s/subnets/lb'",
        Cause.RIGHTS,
    ),
    (aks.TROUBLES, "SyncLoadBalancerFailed", SYNC + "SubnetIsFull: Subnet lb", Cause.ADDRESSES),
    (
        aks.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "RequestDisallowedByPolicy: no public addresses",
        Cause.POLICY,
    ),
    (
        aks.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "subnet lb was not found in virtual network v",
        Cause.SUBNETS,
    ),
    (
        gke.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "googleapi: Error 403: Quota 'IN_USE_ADDRESSES' exceeded. Limit: 8.0 in region r., "
        "quotaExceeded",
        Cause.QUOTA,
    ),
    (
        gke.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "googleapi: Error 403: Required 'compute.subnetworks.use' permission for 's'",
        Cause.RIGHTS,
    ),
    (
        gke.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "googleapi: Error 412: Constraint constraints/compute.restrictLoadBalancerCreation"
        "ForTypes violated",
        Cause.POLICY,
    ),
    (
        gke.TROUBLES,
        "SyncInternalLoadBalancerFailed",
        SYNC + "The resource 'projects/p/regions/r/subnetworks/lb' was not found: subnetwork lb "
        "does not exist",
        Cause.SUBNETS,
    ),
    (
        oke.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "creating load balancer: Service error:LimitExceeded. The following service limits "
        "were exceeded: lb-100mbps-count",
        Cause.QUOTA,
    ),
    (
        oke.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "Service error:NotAuthorizedOrNotFound. Authorization failed or requested resource "
        "not found.. http status code: 404",
        Cause.RIGHTS,
    ),
    (
        oke.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "a subnet must be specified for creating a load balancer",
        Cause.SUBNETS,
    ),
    (
        nebius.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "rpc error: code = ResourceExhausted desc = quota vpc.ipv4-address.public.count",
        Cause.QUOTA,
    ),
    (
        nebius.TROUBLES,
        "SyncLoadBalancerFailed",
        SYNC + "rpc error: code = PermissionDenied desc = no",
        Cause.RIGHTS,
    ),
    (
        coreweave.TROUBLES,
        "AllocationFailed",
        'Failed to allocate IP for "x": no available IPs',
        Cause.ADDRESSES,
    ),
    (
        generic.TROUBLES,
        "AllocationFailed",
        'Failed to allocate IP for "ray/x": no available IPs',
        Cause.ADDRESSES,
    ),
    (
        (),
        "UnAvailableLoadBalancer",
        "There are no available nodes for LoadBalancer",
        Cause.NO_NODES,
    ),
    ((), "SyncLoadBalancerFailed", SYNC + "the moon is full", Cause.UNKNOWN),
)


@pytest.fixture(scope="module")
def bare(
    make_lasting_world: Any, helm4: HelmExecutable, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """A cluster with the definitions of the Gateway API, where nobody serves load balancers."""
    folder: Path = tmp_path_factory.mktemp("bare")
    site = make_site(make_lasting_world, helm4, folder, load_balancers=_Nobody())
    context = site.install(spec={"gpu": "off"}).way_in._context
    site.world.apply(gateway_definitions(context))
    for name in ("ray", NAMESPACE):
        metadata = {"name": name}
        site.world.kubernetes.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        )
    return site


class _Nobody:
    async def ensure(self, service: Any) -> None:
        return None

    async def remove(self, service: Any) -> None: ...


class Planted:
    """A Gateway of a class, in a state that is taken away again."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._made: list[tuple[str, Document]] = []

    def put(self, kinds: str, document: Document, **status: Any) -> None:
        """With its status, which the API would drop from a new object."""

        async def store() -> None:
            self.site.world.standin.store.create(
                kinds,
                {**document, **({"status": status} if status else {})},
                namespace=document["metadata"].get("namespace"),
                write=Write(with_status=True),
            )

        self.site.world.do(store())
        self._made.append((kinds, document))

    def gateway_class(self, *conditions: Document, controller: str = CONTROLLER) -> None:
        self.put(
            "gatewayclasses.gateway.networking.k8s.io",
            {
                "apiVersion": API,
                "kind": "GatewayClass",
                "metadata": {"name": "own"},
                "spec": {"controllerName": controller},
            },
            conditions=[{"type": "Accepted", **item} for item in conditions],
        )

    def service(self, **status: Any) -> None:
        self.put(
            "services",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "envoy", "namespace": NAMESPACE, "labels": LABELS},
                "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]},
            },
            **status,
        )

    def event(self, reason: str, message: str) -> None:
        about = {"kind": "Service", "name": "envoy", "namespace": NAMESPACE}
        self.put(
            "events",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": "envoy.1", "namespace": NAMESPACE},
                "involvedObject": about,
                "type": "Warning",
                "reason": reason,
                "message": message,
            },
        )

    def deployment(self, name: str, namespace: str, **labels: str) -> None:
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "it", "image": "nowhere/it:1"}]},
        }
        self.put(
            "deployments.apps",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": {"app": name}},
                    "template": template,
                },
            },
        )

    def why(self, server: LoadBalancer | None = None, *conditions: Document) -> NoAddress:
        gateway = {
            "apiVersion": API,
            "kind": "Gateway",
            "metadata": {"name": "gateway", "namespace": "ray"},
            "spec": {"gatewayClassName": "own"},
            "status": {"conditions": list(conditions)},
        }
        return why_no_address(self.site.world.kubernetes, GATEWAY, gateway, server)

    def clear(self) -> None:
        for _, document in reversed(self._made):
            self.site.world.kubernetes.delete(Reference.of(document))
            self.site.world.kubernetes.wait_gone(Reference.of(document), timeout=10)


@pytest.fixture
def planted(bare: Site) -> Any:
    made = Planted(bare)
    yield made
    made.clear()


ACCEPTED = {"status": "True", "reason": "Accepted"}


def no_class(planted: Planted) -> NoAddress:
    return planted.why()


def no_controller(planted: Planted) -> NoAddress:
    planted.gateway_class()
    found = planted.why()
    assert "no Envoy Gateway is there" in found.text
    planted.deployment("envoy-gateway", NAMESPACE, **{"control-plane": "envoy-gateway"})
    down = planted.why()
    assert down.cause is Cause.NO_CONTROLLER
    assert f"logs -n {NAMESPACE} deployment/envoy-gateway" in down.look
    return found


def class_refused(planted: Planted) -> NoAddress:
    refused = {"status": "False", "reason": "InvalidParameters", "message": "no EnvoyProxy"}
    planted.gateway_class(refused)
    return planted.why()


def gateway_refused(planted: Planted) -> NoAddress:
    planted.gateway_class(ACCEPTED)
    refused = {"type": "Accepted", "status": "False", "reason": "Invalid", "message": "bad"}
    return planted.why(None, refused)


def no_service(planted: Planted) -> NoAddress:
    planted.gateway_class(ACCEPTED)
    return planted.why()


def namespace_quota(planted: Planted) -> NoAddress:
    planted.gateway_class(ACCEPTED)
    planted.put(
        "resourcequotas",
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "few", "namespace": NAMESPACE},
            "spec": {"hard": {"services.loadbalancers": "0"}},
        },
        hard={"services.loadbalancers": "0"},
        used={"services.loadbalancers": "0"},
    )
    found = planted.why()
    assert "quota few allows 0 services.loadbalancers" in found.text
    return found


def not_served(planted: Planted) -> NoAddress:
    planted.gateway_class(ACCEPTED)
    planted.service()
    return planted.why(LoadBalancer("the pool"))


def controller_down(planted: Planted) -> NoAddress:
    planted.gateway_class(ACCEPTED)
    planted.service()
    # What it said before it went down counts for less.
    planted.event("FailedDeployModel", "Failed deploy model due to TooManyLoadBalancers")
    planted.deployment("lb-controller", "ray")
    found = planted.why(LoadBalancer("it", deployment="ray/lb-controller"))
    assert "scaled to zero" in found.text
    return found


def not_as_asked(planted: Planted) -> NoAddress:
    planted.gateway_class(ACCEPTED)
    planted.service(loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
    return planted.why(LoadBalancer("it", unlike=lambda _: "is public, and is to be internal"))


def proxy_not_ready(planted: Planted) -> NoAddress:
    planted.gateway_class(ACCEPTED)
    planted.service(loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
    planted.deployment("envoy", NAMESPACE, **LABELS)
    return planted.why(LoadBalancer("it"))


STATES: tuple[tuple[Callable[[Planted], NoAddress], Cause], ...] = (
    (no_class, Cause.NO_CLASS),
    (no_controller, Cause.NO_CONTROLLER),
    (class_refused, Cause.GATEWAY_REFUSED),
    (gateway_refused, Cause.GATEWAY_REFUSED),
    (no_service, Cause.NO_SERVICE),
    (namespace_quota, Cause.QUOTA),
    (not_served, Cause.NOT_SERVED),
    (controller_down, Cause.CONTROLLER_DOWN),
    (not_as_asked, Cause.NOT_AS_ASKED),
    (proxy_not_ready, Cause.PROXY_NOT_READY),
)


@pytest.mark.parametrize(("plant", "cause"), STATES, ids=lambda item: getattr(item, "__name__", ""))
def test_each_state_has_its_cause(
    planted: Planted, plant: Callable[[Planted], NoAddress], cause: Cause
) -> None:
    found = plant(planted)
    assert found.cause is cause, found
    assert found.text
    assert found.fix.startswith("kubectl ")


def test_proxies_that_get_no_node_are_not_waited_for(planted: Planted) -> None:
    kubernetes, run = planted.site.world.kubernetes, planted.site.world.run
    proxy_not_ready(planted)
    where = Reference("apps/v1", "Deployment", "envoy", NAMESPACE)
    assert proxies(kubernetes, GATEWAY) == (where,)
    placing = Placing(kubernetes, lambda: proxies(kubernetes, GATEWAY), Patience(0))
    pod = {"spec": {"nodeSelector": {"pool": "nowhere"}}}
    kubernetes.patch_merge(where, {"spec": {"replicas": 1, "template": pod}})

    def without_place() -> str:
        for found in kubernetes.list("v1", "Pod", NAMESPACE, label_selector="app=envoy"):
            conditions = (found.get("status") or {}).get("conditions") or []
            if any(item.get("reason") == "Unschedulable" for item in conditions):
                return str(found["metadata"]["name"])
        raise StillWaiting("no pod yet")

    name = run.wait_for(without_place, what="its pod", timeout=30)
    assert not placing.in_vain()
    seen = placing.also(StillWaiting("no address yet"))
    assert str(seen).startswith(f"no address yet; Pod {name} in {NAMESPACE} waits for a node: 0/")

    said = "pod didn't trigger scale-up: 1 node(s) didn't match Pod's node affinity/selector"
    about = {"kind": "Pod", "name": name, "namespace": NAMESPACE}
    event = {
        "metadata": {"name": "no.1", "namespace": NAMESPACE},
        "involvedObject": about,
        "reason": "NotTriggerScaleUp",
        "message": said,
        "type": "Normal",
        "source": {"component": "cluster-autoscaler"},
    }
    planted.put("events", {"apiVersion": "v1", "kind": "Event", **event})
    assert placing.in_vain()
    problem = without_node(kubernetes, GATEWAY, None)
    assert problem.code is errors.NO_ADDRESS
    assert problem.cause.endswith(f"No node is added for it: NotTriggerScaleUp: {said}")


def test_proxies_that_do_not_get_their_image_are_not_waited_for(planted: Planted) -> None:
    kubernetes, run = planted.site.world.kubernetes, planted.site.world.run
    proxy_not_ready(planted)
    where = Reference("apps/v1", "Deployment", "envoy", NAMESPACE)
    container = {"name": "envoy", "image": f"mirror.example.com/{NO_SUCH_IMAGE}:1"}
    pod = {"spec": {"containers": [container]}}
    placing = Placing(kubernetes, lambda: proxies(kubernetes, GATEWAY), Patience(0))
    kubernetes.patch_merge(where, {"spec": {"replicas": 1, "template": pod}})

    def in_vain() -> None:
        if not placing.in_vain():
            raise StillWaiting("not yet told")

    run.wait_for(in_vain, what="its refusal", timeout=30)
    seen = str(placing.also(StillWaiting("no address yet")))
    assert "ImagePull" in seen
    assert "not found" in seen
    problem = without_node(kubernetes, GATEWAY, None)
    assert problem.code is errors.NO_ADDRESS
    assert "copy the image to mirror.example.com" in problem.fix


def test_proxies_that_a_quota_keeps_out_are_not_waited_for(planted: Planted) -> None:
    kubernetes, run = planted.site.world.kubernetes, planted.site.world.run
    proxy_not_ready(planted)
    where = Reference("apps/v1", "Deployment", "envoy", NAMESPACE)
    quota = {"name": "lbs", "namespace": NAMESPACE}
    manifest = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota}
    kubernetes.create({**manifest, "spec": {"hard": {"pods": "0"}}})
    placing = Placing(kubernetes, lambda: proxies(kubernetes, GATEWAY), Patience(0))
    kubernetes.patch_merge(where, {"spec": {"replicas": 1}})

    def kept_out() -> None:
        if not placing.in_vain():
            raise StillWaiting("not yet told")

    run.wait_for(kept_out, what="its refusal", timeout=30)
    said = "the ResourceQuota lbs: requested: pods=1, used: pods=0, limited: pods=0"
    assert str(placing.also(StillWaiting("no address"))).endswith(f"a pod may not be made: {said}")
    problem = without_node(kubernetes, GATEWAY, None)
    assert "FailedCreate" in problem.cause
    assert "exceeded quota: lbs" in problem.cause
    assert f"describe resourcequota lbs -n {NAMESPACE}" in problem.fix


def test_what_controllers_say_has_its_cause_on_each_platform(planted: Planted) -> None:
    planted.gateway_class(ACCEPTED)
    planted.service()
    kubernetes = planted.site.world.kubernetes
    planted.event("", "")
    for troubles, reason, message, cause in SAID:
        event = {"apiVersion": "v1", "kind": "Event", "reason": reason, "message": message}
        kubernetes.patch_merge(Reference("v1", "Event", "envoy.1", NAMESPACE), event)
        found = planted.why(LoadBalancer("it", troubles=troubles))
        assert found.cause is cause, (message, found)
        # Nobody has to look for what was said.
        assert message in found.text
        assert f"event {reason}: {message}" in found.evidence
        assert ("none of those that are known here" in found.text) is (cause is Cause.UNKNOWN)


def test_where_nothing_is_said_the_platform_is_asked(planted: Planted) -> None:
    planted.gateway_class(ACCEPTED)
    planted.service()
    full = Check("quota", "Room", frozenset({When.SETUP}), explains=Cause.QUOTA)
    lost = Check("subnets", "Subnets", frozenset({When.SETUP}), explains=Cause.SUBNETS)
    other = Check("bucket", "Bucket", frozenset({When.SETUP}))
    bound = (
        other.bind(lambda: Finding(Status.FAIL, "no bucket")),
        full.bind(lambda: Finding(Status.UNKNOWN, "not to be seen")),
        lost.bind(lambda: Finding(Status.WARN, "no subnet is tagged", ("subnet-1",), "tag one")),
    )
    found = planted.why(LoadBalancer("it", hints=lambda: bound))
    assert found.cause is Cause.SUBNETS
    assert "no subnet is tagged" in found.text
    assert "subnet-1" in found.evidence
    assert "tag one" in found.fix


def test_every_cause_is_planted_somewhere() -> None:
    assert {cause for *_, cause in SAID} | {cause for _, cause in STATES} == set(Cause)
