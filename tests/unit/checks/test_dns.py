"""Whether names lead to the gateway, and what is known when DNS does not answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.checks.dns import Told, leads, lookup
from anyscale_k8s_cli.sandbox.dns import DnsStandIn

ELB, OLD = "new.elb.example.com", "old.elb.example.com"
NAMES = {ELB: "198.51.100.7", OLD: "198.51.100.8", "a.i.example.com": "198.51.100.7"}


@pytest.fixture
async def server() -> AsyncIterator[str]:
    standin = DnsStandIn(lambda: NAMES)
    await standin.start()
    try:
        yield standin.address
    finally:
        await standin.stop()


async def asked(server: str, address: str, published: str, *names: str) -> Finding:
    is_ip = address[0].isdigit()
    return await asyncio.to_thread(
        leads, address, is_ip, published, list(names), lambda: lookup(server), "again"
    )


async def test_a_name_has_its_addresses_and_one_that_is_not_there_has_none(server: str) -> None:
    look = lookup(server)

    assert await asyncio.to_thread(look, ELB) == Told(frozenset({"198.51.100.7"}))
    assert await asyncio.to_thread(look, "nobody.example.com") == Told()


async def test_names_that_lead_to_the_gateway_pass(server: str) -> None:
    by_name = await asked(server, ELB, ELB, "a.i.example.com")
    by_number = await asked(server, "198.51.100.7", "198.51.100.7", "a.i.example.com")

    assert by_name.status is by_number.status is Status.PASS
    assert by_name.detail == f"{ELB} is 198.51.100.7; 1 names"
    assert by_number.evidence[1] == "a.i.example.com: 198.51.100.7"


@pytest.mark.parametrize(
    ("published", "names", "wrong"),
    [(OLD, (), OLD), (ELB, (OLD,), OLD), ("198.51.100.9", (), "198.51.100.9")],
)
async def test_one_that_leads_elsewhere_fails(
    server: str, published: str, names: tuple[str, ...], wrong: str
) -> None:
    found = await asked(server, ELB, published, *names)

    assert found.status is Status.FAIL
    assert found.detail.startswith(f"{wrong} leads to 198.51.100.")
    assert found.detail.endswith(f"and the gateway is at {ELB}")
    assert found.evidence[0] == f"the gateway is at {ELB}: 198.51.100.7"


async def test_a_load_balancer_whose_name_nobody_knows_fails(server: str) -> None:
    found = await asked(server, "gone.example.com", "gone.example.com")

    assert found.status is Status.FAIL
    assert "DNS knows no address of gone.example.com" in found.detail


def test_a_number_that_is_published_needs_no_dns() -> None:
    def never() -> None:
        raise AssertionError

    found = leads("192.0.2.1", True, "192.0.2.1", [], never)  # type: ignore[arg-type]

    assert found.status is Status.PASS


def test_where_nobody_answers_nothing_is_known() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))

        server = f"127.0.0.1:{deaf.getsockname()[1]}"
        found = leads(ELB, False, ELB, [], lambda: lookup(server, 0.3))

    assert found.status is Status.UNKNOWN
    assert "ANYSCALE_K8S_DNS_SERVER" in found.fix
