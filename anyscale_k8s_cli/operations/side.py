"""Everything that should be for a spec, put together from a platform and a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from anyscale_k8s_cli.addons import (
    ClusterSide,
    cluster_side,
)
from anyscale_k8s_cli.addons.operator import operator_values
from anyscale_k8s_cli.addons.rehearsal import Stage
from anyscale_k8s_cli.addons.token_values import installed_tokens
from anyscale_k8s_cli.cloud_side import CloudSide
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.service_accounts import ServiceAccounts
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.operations.registering import outside_of
from anyscale_k8s_cli.operations.requests import SetupRequest
from anyscale_k8s_cli.operations.token_check import TokenCheck
from anyscale_k8s_cli.operations.workbench import (
    OpenCluster,
    cluster_context,
    sign_in,
)
from anyscale_k8s_cli.provider import LoadBalancer, Provider, load_balancer_of
from anyscale_k8s_cli.registration import RegisteredCloud, RegisteredResource
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, brings_way_in


@dataclass(frozen=True)
class Side:
    """Everything that should be: the cloud's objects, the registration, the cluster's."""

    cloud: CloudSide
    record: RegisteredCloud
    registration: RegisteredResource
    cluster: ClusterSide
    operator_values: Callable[[], Mapping[str, Any]]
    token_check: TokenCheck | None
    stage: Stage

    @property
    def resources(self) -> tuple[Resource[Any], ...]:
        return (
            *self.cloud.resources,
            self.record,
            self.registration,
            *self.cluster.resources,
        )


async def side_of(
    request: SetupRequest,
    wanted: CloudSpec,
    provider: Provider,
    opened: OpenCluster,
    install: Install,
    clouds: Clouds,
    dropped: Mapping[str, str],
    run: Run,
) -> Side:
    """Everything that should be, for a spec on a cluster that is open. Reads only."""
    outside = outside_of(request, wanted, provider, opened.cluster, install, clouds, dropped)
    cloud, registration = outside.cloud, outside.registration
    token = sign_in(wanted, provider, ServiceAccounts(clouds.plane), install)
    balancer: LoadBalancer | None = None
    if not brings_way_in(wanted):
        balancer = await asyncio.to_thread(
            load_balancer_of, provider, wanted, opened.cluster, install, opened.kubernetes
        )
    context = cluster_context(
        opened,
        wanted,
        provider,
        install,
        clouds,
        request,
        run,
        upgrade=request.upgrade,
        dropped_tags=dropped,
    )
    inside = await asyncio.to_thread(
        cluster_side,
        context,
        cloud,
        registration,
        balancer,
        lambda addresses: provider.load_balancer_left(install, addresses),
        token,
    )
    made = inside.token.token if inside.token else None
    return Side(
        cloud,
        outside.record,
        registration,
        inside,
        lambda: operator_values(context, cloud, registration, inside.way_in, made),
        TokenCheck(token, partial(installed_tokens, opened.kubernetes, install.namespace))
        if token
        else None,
        Stage(context, cloud, registration, inside, balancer),
    )
