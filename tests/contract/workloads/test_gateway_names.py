"""Names that listeners and routes tell, looked up in DNS."""

from __future__ import annotations

import asyncio
from functools import partial

from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.dns import dns_checks, lookup
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.sandbox.dns import DnsStandIn
from tests.probing import AGAIN, administrator

from .conftest import Install, World

API = "gateway.networking.k8s.io/v1"
SERVICE, OTHER = "service.s.example.com", "elsewhere.example.com"


def add_route(install: Install, name: str, gateway: str, *hostnames: str) -> None:
    spec = {"parentRefs": [{"name": gateway}], "hostnames": list(hostnames)}
    route = "httproutes.gateway.networking.k8s.io"
    install.create(route, "HTTPRoute", name, apiVersion=API, spec=spec)


async def ask(world: World, install: Install, server: str) -> Finding:
    reference = Reference(API, "Gateway", "gateway", install.namespace)
    (check,) = dns_checks(
        administrator(world.kubernetes),
        reference,
        install.namespace,
        {"networking": {"gateway": {"hostname": install.address}}},
        partial(lookup, server),
        AGAIN,
    )
    assert check.code == "gateway-address"
    return await asyncio.to_thread(check.run)


async def test_the_names_of_routes_must_lead_to_their_gateway(
    operators: World, install: Install
) -> None:
    records = {install.address: "198.51.100.7", SERVICE: "198.51.100.7"}
    dns = DnsStandIn(lambda: records)
    await dns.start()
    try:
        add_route(install, "service", "gateway", SERVICE, "*.i.example.com")
        add_route(install, "of-another", "another", OTHER)

        right = await ask(operators, install, dns.address)
        records[SERVICE] = "198.51.100.8"
        wrong = await ask(operators, install, dns.address)
    finally:
        await dns.stop()

    assert right.status is Status.PASS, right
    assert right.evidence[1:] == (f"{SERVICE}: 198.51.100.7",)
    assert wrong.status is Status.FAIL
    assert wrong.detail.startswith(f"{SERVICE} leads to 198.51.100.8")
    assert AGAIN in wrong.fix
