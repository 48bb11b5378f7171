"""A cluster of any platform: its API, its kubelets, and the programs that pods run."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.sandbox.kubernetes.admission import PodAdmission
from anyscale_k8s_cli.sandbox.kubernetes.authentication import TokenAuthenticator, static_tokens
from anyscale_k8s_cli.sandbox.kubernetes.image_pulls import Pulls
from anyscale_k8s_cli.sandbox.kubernetes.loadbalancers import LoadBalancerProvider
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.standin import KubernetesStandIn
from anyscale_k8s_cli.sandbox.kubernetes.users import User
from anyscale_k8s_cli.sandbox.tls import Authority
from anyscale_k8s_cli.sandbox.wire import Wire
from anyscale_k8s_cli.sandbox.workloads.device_plugin import DevicePlugin
from anyscale_k8s_cli.sandbox.workloads.envoy_gateway import EnvoyGateway
from anyscale_k8s_cli.sandbox.workloads.ingress_nginx import IngressNginx
from anyscale_k8s_cli.sandbox.workloads.operator import OperatorImage
from anyscale_k8s_cli.sandbox.workloads.python_image import PythonImage
from anyscale_k8s_cli.sandbox.world import KubernetesWorld, World


def cluster_stand_in(
    wire: Wire,
    authority: Authority,
    world: World,
    *,
    name: str,
    version: str,
    authenticators: Sequence[TokenAuthenticator] = (),
    pod_admission: Sequence[PodAdmission] = (),
    load_balancers: LoadBalancerProvider,
    issuer: str,
    nodes: Sequence[Object],
    public_authority: Authority | None = None,
    names: Callable[[], str] = str,
) -> KubernetesStandIn:
    """What is particular to a platform is said; `authenticators` know its people's tokens.

    `names` is what the operator's image takes: the proxy to a store that is named by hosts.
    """
    there = world.kubernetes
    kubelet_token = secrets.token_urlsafe(24)
    kubelet = User("system:node:kubelet", ("system:nodes",))
    return KubernetesStandIn(
        wire,
        authority,
        name=name,
        version=version,
        token_authenticators=[static_tokens({kubelet_token: kubelet}), *authenticators],
        pod_admission=pod_admission,
        workloads=[
            OperatorImage(authority, world.operator_recheck_seconds, names),
            EnvoyGateway(authority),
            IngressNginx(authority),
            DevicePlugin(authority, kubelet_token),
            PythonImage(authority, names),
        ],
        load_balancers=load_balancers,
        service_account_issuer=issuer,
        nodes=[_as_in(there, node) for node in nodes],
        pace=world.pace,
        public_authority=public_authority,
        pulls=Pulls(
            None if there.registries is None else frozenset(there.registries),
            there.registry_logins,
        ),
        reachable=there.reachable,
    )


def _as_in(world: KubernetesWorld, node: Object) -> Object:
    """A node with the labels and taints that all have."""
    labels = {**(node["metadata"].get("labels") or {}), **world.node_labels}
    spec = node.get("spec") or {}
    taints = [*(spec.get("taints") or ()), *map(dict, world.node_taints)]
    metadata = {**node["metadata"], "labels": labels}
    return {**node, "metadata": metadata, "spec": {**spec, "taints": taints}}


def add_variables(pod: dict[str, Any], variables: Mapping[str, str]) -> None:
    """Tell the containers of a pod where a cloud is: in life a name server does."""
    spec = pod["spec"]
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        environment = container.setdefault("env", [])
        present = {entry["name"] for entry in environment}
        environment += [
            {"name": name, "value": value}
            for name, value in variables.items()
            if name not in present
        ]
