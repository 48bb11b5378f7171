"""The controller of Envoy Gateway: one per cluster, ours or somebody else's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from anyscale_k8s_cli.addons.belonging import goes_with
from anyscale_k8s_cli.addons.context import ClusterContext, InstallContext
from anyscale_k8s_cli.addons.values import given, merged
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.cluster.objects import INSTALL_LABEL
from anyscale_k8s_cli.cluster.release_records import newest
from anyscale_k8s_cli.cluster.release_work import Release, made_by_us
from anyscale_k8s_cli.cluster.shared_releases import Incumbent, SharedHelmRelease
from anyscale_k8s_cli.resource import Resource, Unfit, Users

CHART = "gateway-helm"
RELEASE = "eg"
NAMESPACE = "envoy-gateway-system"
# Where options of this tool have their values, in which nobody keeps secrets.
_OF_OPTIONS = frozenset(
    ("global.imageRegistry", "global.imagePullSecrets", "deployment.pod", "certgen.job")
)
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"

# From here on an EnvoyProxy takes class and source ranges of the load balancer,
# and the controller serves `v1` of the Gateway API.
MINIMUM = (1, 2)
_TAG = re.compile(r":v?(\d+)\.(\d+)\.")


def namespace(context: ClusterContext) -> Namespace:
    """Where controller and proxies run."""
    return Namespace(
        context.surroundings,
        NAMESPACE,
        ours=goes_with(context.install, (NAMESPACE, RELEASE)),
        in_use_by=lambda: foreign_gateways(context.kubernetes, context.install.id),
    )


def gateway_controller(
    context: ClusterContext, needs: Sequence[Resource[Any]]
) -> SharedHelmRelease:
    """The shared release; definitions are not its business."""
    kubernetes, timeouts = context.kubernetes, context.spec.timeouts
    release = Release(
        name=RELEASE,
        namespace=NAMESPACE,
        chart=CHART,
        values=lambda: controller_values(context),
        addition=context.pods.addition,
        open_values=_OF_OPTIONS,
        private=context.spec.addons.gateway.values,
        skip_crds=True,
        upgrade=context.upgrade,
        seconds=timeouts.controller,
        deletion_seconds=timeouts.deletion,
    )
    return SharedHelmRelease(
        context.tools,
        release,
        context.surroundings,
        title="Gateway controller",
        needs=needs,
        incumbent=lambda: incumbent(kubernetes),
        in_use_by=lambda: foreign_gateways(kubernetes, context.install.id),
    )


def controller_values(context: InstallContext) -> dict[str, Any]:
    """The values of the controller, whoever installs it."""
    pods = context.pods
    everywhere: dict[str, Any] = {}
    if pods.registry:
        everywhere["imageRegistry"] = pods.registry
    if pods.pull_secrets:
        everywhere["imagePullSecrets"] = pods.pull_secrets
    own = {
        "global": everywhere,
        "deployment": {"pod": {**pods.placement, **pods.marks}},
        "certgen": {"job": {**pods.placement, "pod": pods.marks}},
    }
    return merged(given(own), context.spec.addons.gateway.values)


def incumbent(kubernetes: Kubernetes) -> Incumbent | None:
    """An Envoy Gateway that somebody else runs: two of them take Gateways from each other."""
    deployment = running(kubernetes)
    if deployment is None:
        return None
    metadata = deployment["metadata"]
    place = f"{metadata['namespace']}/{metadata['name']}"
    return Incumbent(
        id=metadata["uid"],
        what=f"Envoy Gateway in {place}",
        unfit=_too_old(deployment, place),
    )


def home(kubernetes: Kubernetes) -> str:
    """Where the controller and its proxies are, or will be."""
    found = running(kubernetes)
    return str(found["metadata"]["namespace"]) if found else NAMESPACE


def running(kubernetes: Kubernetes) -> Document | None:
    """Its Deployment, whosever it is."""
    found = kubernetes.list("apps/v1", "Deployment", label_selector="control-plane=envoy-gateway")
    living = [item for item in found if not item["metadata"].get("deletionTimestamp")]
    return living[0] if living else None


def brought_by_others(kubernetes: Kubernetes) -> bool:
    """Whether a controller runs that this tool did not install."""
    if incumbent(kubernetes) is None:
        return False
    record = newest(kubernetes, NAMESPACE, RELEASE)
    return record is None or not made_by_us(record)


def foreign_gateways(kubernetes: Kubernetes, install: str) -> Users:
    """Gateways of this controller that other people made."""
    api = "gateway.networking.k8s.io/v1"
    classes = {
        item["metadata"]["name"]
        for item in kubernetes.list(api, "GatewayClass")
        if item["spec"].get("controllerName") == CONTROLLER
    }
    names = tuple(
        f"Gateway {item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in kubernetes.list(api, "Gateway")
        if item["spec"].get("gatewayClassName") in classes
        and (item["metadata"].get("labels") or {}).get(INSTALL_LABEL) != install
    )
    return Users(names, kubernetes.access.kubectl("get gateways.gateway.networking.k8s.io -A"))


def _too_old(deployment: Document, place: str) -> tuple[Unfit, ...]:
    images = [item["image"] for item in deployment["spec"]["template"]["spec"]["containers"]]
    for image in images:
        tag = _TAG.search(image)
        if tag and (int(tag[1]), int(tag[2])) < MINIMUM:
            return (
                Unfit(
                    f"Envoy Gateway in {place} is {image}, and "
                    f"{'.'.join(map(str, MINIMUM))} is needed at least",
                    "upgrade it: a second controller beside it would take its Gateways away",
                ),
            )
    # Without a version in its tag (a digest) it gets the benefit of the doubt.
    return ()
