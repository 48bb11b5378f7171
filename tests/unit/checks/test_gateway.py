"""Listeners and certificates: whose word counts, and what is near its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from cryptography import x509

from anyscale_k8s_cli.checks import Status
from anyscale_k8s_cli.checks.gateway import Certificate, unserved, validity

LISTENERS: list[dict[str, Any]] = [
    {"name": "http"},
    {"name": "https", "tls": {"certificateRefs": [{"name": "anyscale-x-certificate"}]}},
    {"name": "services", "tls": {"certificateRefs": [{"name": "anyscale-svc-x-certificate"}]}},
]
HOST = "*.i.example.com"


def gateway(**conditions: tuple[str, str]) -> dict[str, Any]:
    """Whose listeners are well but for one condition each: its type and its status."""
    told = []
    for listener in LISTENERS:
        kind, status = conditions.get(listener["name"], ("Programmed", "True"))
        condition = {"type": kind, "status": status, "message": f"{kind} is {status}"}
        told.append({"name": listener["name"], "conditions": [condition]})
    return {"spec": {"listeners": LISTENERS}, "status": {"listeners": told}}


def test_all_listeners_are_served() -> None:
    assert unserved(gateway()).detail == "3 of 3 listeners"


def test_the_listener_of_services_may_wait() -> None:
    finding = unserved(gateway(services=("ResolvedRefs", "False")))

    assert finding.status is Status.PASS
    assert finding.detail.startswith("2 of 3 listeners; that of services waits")


@pytest.mark.parametrize(
    "condition", [("Accepted", "False"), ("ResolvedRefs", "False"), ("Conflicted", "True")]
)
def test_a_listener_that_is_not_served(condition: tuple[str, str]) -> None:
    finding = unserved(gateway(https=condition), "again")

    assert finding.status is Status.FAIL
    assert finding.detail.startswith("https: ")
    assert " is ".join(condition) in finding.detail
    assert finding.fix == "again"


def test_a_gateway_that_no_controller_looks_at() -> None:
    finding = unserved({"spec": {"listeners": LISTENERS}})

    assert finding.status is Status.FAIL
    assert finding.detail == "no controller tells of the listeners http, https, services"


@pytest.fixture(scope="module")
def leaf() -> bytes:
    return trustme.CA().issue_cert(HOST).cert_chain_pems[0].bytes()


def certificate(leaf: bytes | None, **changes: str) -> Certificate:
    where = {"listener": "https", "hostname": HOST, "secret": "ns/anyscale-x-certificate"}
    return Certificate(leaf=leaf, **{**where, **changes})


def end_of(leaf: bytes) -> datetime:
    return x509.load_pem_x509_certificate(leaf).not_valid_after_utc


def test_a_certificate_that_lasts(leaf: bytes) -> None:
    found = [certificate(leaf), certificate(None, secret="ns/anyscale-svc-x-certificate")]

    assert validity(found, datetime.now(UTC)).status is Status.PASS
    assert validity(found[1:], datetime.now(UTC)).status is Status.PASS


@pytest.mark.parametrize(("days", "status"), [(22, "pass"), (20, "warn"), (0, "fail")])
def test_a_certificate_near_its_end(leaf: bytes, days: int, status: str) -> None:
    finding = validity([certificate(leaf)], end_of(leaf) - timedelta(days=days))

    assert finding.status == status
    assert f"{end_of(leaf):%Y-%m-%d}" in finding.detail


def test_of_a_certificate_that_is_not_there_the_listener_tells() -> None:
    finding = validity([certificate(None)], datetime.now(UTC))

    assert finding.status is Status.UNKNOWN
    assert "there is no certificate" in finding.detail


def test_what_is_wrong_with_a_certificate(leaf: bytes) -> None:
    now = datetime.now(UTC)
    for found, said in (
        (certificate(b"nonsense"), "is no certificate"),
        (certificate(leaf, hostname="*.s.example.com"), "it is not for *.s.example.com"),
    ):
        finding = validity([found], now)
        assert finding.status is Status.FAIL
        assert said in finding.detail
        assert "ns/anyscale-x-certificate of listener https" in finding.detail
    early = validity([certificate(leaf)], datetime(1999, 1, 1, tzinfo=UTC))
    assert "valid only from" in early.detail


def test_a_name_below_that_of_a_wildcard_is_covered(leaf: bytes) -> None:
    found = certificate(leaf, hostname="one.i.example.com")
    assert validity([found], datetime.now(UTC)).status is Status.PASS
