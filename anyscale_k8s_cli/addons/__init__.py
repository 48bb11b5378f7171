"""What every provider installs in a cluster: namespace, gateway, GPU plugin, operator.

Belongs here: which objects and releases an install consists of, and how they
depend on each other. Does not belong here: how objects and releases are handled
in general (`cluster/`), and anything that holds on one platform only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.addons import gateway_controller as controller
from anyscale_k8s_cli.addons.adopted_gateway import AdoptedGateway
from anyscale_k8s_cli.addons.belonging import goes_with
from anyscale_k8s_cli.addons.ca_bundle import ca_bundle, unused_bundle
from anyscale_k8s_cli.addons.context import ClusterContext
from anyscale_k8s_cli.addons.file_storage import file_storage
from anyscale_k8s_cli.addons.gateway import Gateway, envoy_proxy, gateway_class
from anyscale_k8s_cli.addons.gateway_definitions import gateway_definitions
from anyscale_k8s_cli.addons.given_address import GivenAddress
from anyscale_k8s_cli.addons.gpu import GpuPool, gpu_plugin, pools_of
from anyscale_k8s_cli.addons.nginx import NginxIngress
from anyscale_k8s_cli.addons.operator import operator_release, service_account, workload_account
from anyscale_k8s_cli.addons.own_load_balancer import LoadBalancerLeft
from anyscale_k8s_cli.addons.pod_probe import left_behind
from anyscale_k8s_cli.addons.storage_credentials import credentials_secret
from anyscale_k8s_cli.addons.token_values import installed_tokens
from anyscale_k8s_cli.addons.ways_in import WayIn
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.cluster.namespaces import Namespace
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.cluster.releases import HelmRelease
from anyscale_k8s_cli.operator_token import SignIn, TokenParts
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.resource import Resource

__all__ = ["ClusterContext", "ClusterSide", "cluster_side"]


@dataclass(frozen=True)
class ClusterSide:
    """All resources in the cluster, and those that callers ask for by name.

    `gpu_pools` are what was found, for people. `token` is None where the operator does
    not sign in with one that we make.
    """

    resources: tuple[Resource[Any], ...]
    namespace: Namespace
    way_in: WayIn
    service_account: KubernetesObject
    operator: HelmRelease
    gpu_pools: tuple[GpuPool, ...]
    token: TokenParts | None = None
    workload_account: KubernetesObject | None = None

    def prove_identities(self) -> None:
        """The operator's, and that of Ray's pods where they have their own."""
        self.service_account.prove()
        if self.workload_account is not None:
            self.workload_account.prove()


def cluster_side(
    context: ClusterContext,
    cloud_side: CloudSide | None,
    registration: Resource[Registration],
    load_balancer: LoadBalancer | None,
    load_balancer_left: LoadBalancerLeft,
    sign_in: SignIn | None = None,
) -> ClusterSide:
    """What should be in the cluster, wired by needs. Reads only (for GPU plugins, and
    what an earlier setup has left).

    For teardown `cloud_side` and `load_balancer` may be None and the outputs of
    `registration` unknown: reading and deleting need none of them. `sign_in` is None
    where the platform vouches for the operator, and in a teardown.
    """
    namespace = Namespace(
        context.surroundings,
        context.install.namespace,
        ours=goes_with(context.install),
        privileged=True,
        early=True,
    )
    pools = pools_of(context, context.kubernetes)
    gpu = gpu_plugin(context, pools)
    way_in, ways = _way_in(context, namespace, registration, load_balancer, load_balancer_left)
    account = service_account(context, cloud_side, needs=(namespace,))
    theirs = workload_account(context, cloud_side, needs=(namespace, account))
    parts = _token(context, sign_in, needs=(registration, way_in, account))
    token = parts.token if parts else None
    tokens = parts.resources if parts else ()
    credentials = credentials_secret(context, cloud_side, needs=(namespace,))
    trusted = ca_bundle(context, needs=(namespace,))
    operator = operator_release(
        context,
        cloud_side,
        registration,
        way_in,
        account,
        token,
        needs=(
            namespace,
            *theirs,
            *credentials,
            *trusted,
            *(item for item in ways if isinstance(item, NginxIngress)),
        ),
    )
    resources = (
        namespace,
        *gpu,
        *ways,
        way_in,
        *file_storage(context.spec, context.install, context.kubernetes),
        account,
        *theirs,
        *credentials,
        *trusted,
        *left_behind(context, needs=(namespace,)),
        *tokens,
        operator,
        *unused_bundle(context, needs=(operator,)),
    )
    return ClusterSide(
        resources, namespace, way_in, account, operator, pools, parts, next(iter(theirs), None)
    )


def _token(
    context: ClusterContext, sign_in: SignIn | None, needs: Sequence[Resource[Any]]
) -> TokenParts | None:
    """The token is made last of all that the operator needs: nothing else tells it again."""
    if sign_in is None:
        return None
    kubernetes, namespace = context.kubernetes, context.install.namespace
    return sign_in.token(lambda: installed_tokens(kubernetes, namespace), needs)


def _way_in(
    context: ClusterContext,
    namespace: Namespace,
    registration: Resource[Registration],
    load_balancer: LoadBalancer | None,
    load_balancer_left: LoadBalancerLeft,
) -> tuple[WayIn, Sequence[Resource[Any]]]:
    """The one that is wanted, and all that it stands on; in a teardown those that may be there."""
    existing, kind = context.spec.existing.gateway, context.spec.network.kind
    nginx = NginxIngress(context, load_balancer, load_balancer_left, needs=(namespace,))
    if existing:
        return AdoptedGateway(context, context.kubernetes, existing, registration), ()
    if kind == "none":
        return GivenAddress(context), ()
    if kind == "nginx":
        return nginx, ()
    parts, its_class = _parts_of_gateway(context, namespace, load_balancer)
    gateway = Gateway(
        context, its_class, registration, load_balancer, load_balancer_left, needs=(namespace,)
    )
    return gateway, (*parts, its_class, *((nginx,) if context.teardown else ()))


def _parts_of_gateway(
    context: ClusterContext, namespace: Namespace, load_balancer: LoadBalancer | None
) -> tuple[Sequence[Resource[Any]], KubernetesObject]:
    """All that the Gateway stands on, and its class: nothing of it waits for the registration."""
    api, envoy = gateway_definitions(context)
    own_place: tuple[Resource[Any], ...] = ()
    if context.teardown or not controller.brought_by_others(context.kubernetes):
        own_place = (controller.namespace(context),)
    running = controller.gateway_controller(context, needs=(*own_place, api, envoy))
    proxy = envoy_proxy(context, load_balancer, needs=(namespace, envoy))
    # The controller guards a class that is in use with a finalizer, and must
    # still run when the class goes.
    its_class = gateway_class(context, needs=(proxy, api, running))
    return (*own_place, api, envoy, running, proxy), its_class
