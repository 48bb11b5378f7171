"""The rules behind a Gateway's status in the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from anyscale_k8s_cli.sandbox.workloads.gateway_proxy import (
    proxy_name,
    proxy_service,
    service_addresses,
)
from anyscale_k8s_cli.sandbox.workloads.gateway_status import (
    Finding,
    ProxyState,
    SecretReader,
    gateway_status,
    listener_problems,
    with_times,
)

Object = dict[str, Any]
ADDRESS = {"type": "IPAddress", "value": "192.0.2.1"}


def https(name: str, hostname: str, secret: str, namespace: str = "") -> Object:
    reference = {"name": secret, **({"namespace": namespace} if namespace else {})}
    return {
        "name": name,
        "port": 443,
        "protocol": "HTTPS",
        "hostname": hostname,
        "tls": {"certificateRefs": [reference]},
    }


def gateway(*listeners: Object, **spec: Any) -> Object:
    return {
        "metadata": {"name": "gateway", "namespace": "ours", "generation": 3},
        "spec": {"gatewayClassName": "eg", "listeners": list(listeners), **spec},
    }


def secret(namespace: str, name: str, *keys: str) -> Object:
    data = dict.fromkeys(keys or ("tls.crt", "tls.key"), "eA==")
    return {"metadata": {"namespace": namespace, "name": name}, "data": data}


def grant(namespace: str, gateways: str) -> Object:
    source = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": gateways}
    return {
        "metadata": {"namespace": namespace, "name": "grant"},
        "spec": {"from": [source], "to": [{"group": "", "kind": "Secret"}]},
    }


def condition(status: Object, kind: str) -> tuple[str, str]:
    found = next(item for item in status["conditions"] if item["type"] == kind)
    assert found["observedGeneration"] == 3
    return found["status"], found["reason"]


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        ([], "InvalidCertificateRef"),
        ([secret("other", "cert")], "InvalidCertificateRef"),
        ([secret("ours", "cert", "tls.crt")], "InvalidCertificateRef"),
        ([secret("ours", "cert")], ""),
    ],
)
def test_certificates(secrets: list[Object], reason: str) -> None:
    problems = listener_problems(gateway(https("a", "a.b", "cert")), SecretReader(secrets, []))
    assert problems.get("a", Finding("", "")).reason == reason


@pytest.mark.parametrize(
    ("grants", "reason"),
    [
        ([], "RefNotPermitted"),
        ([grant("other", "somebody")], "RefNotPermitted"),
        ([grant("ours", "ours")], "RefNotPermitted"),
        ([grant("other", "ours")], ""),
    ],
)
def test_certificates_elsewhere_need_a_grant(grants: list[Object], reason: str) -> None:
    reader = SecretReader([secret("other", "cert")], grants)
    problems = listener_problems(gateway(https("a", "a.b", "cert", "other")), reader)
    assert problems.get("a", Finding("", "")).reason == reason


def test_one_port_serves_many_names_but_each_once() -> None:
    reader = SecretReader([secret("ours", "cert")], [])
    listeners = [https("a", "a.b", "cert"), https("b", "b.b", "cert"), https("c", "a.b", "cert")]
    problems = listener_problems(gateway(*listeners), reader)
    assert {name: found.reason for name, found in problems.items()} == {"c": "HostnameConflict"}


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        (ProxyState(), ("False", "AddressNotAssigned")),
        (ProxyState((ADDRESS,), 0), ("False", "NoResources")),
        (ProxyState((ADDRESS,), 1), ("True", "Programmed")),
    ],
)
def test_programmed_comes_last(proxy: ProxyState, expected: tuple[str, str]) -> None:
    status = gateway_status(gateway(), None, {}, proxy, [])
    assert condition(status, "Programmed") == expected
    assert condition(status, "Accepted")[0] == "True"


def test_a_gateway_that_is_not_accepted_has_no_address() -> None:
    missing = Finding("InvalidParameters", "envoyproxy ours/x does not exist")
    status = gateway_status(gateway(), missing, {}, ProxyState((ADDRESS,), 1), [])
    assert condition(status, "Accepted") == ("False", "InvalidParameters")
    assert "addresses" not in status


def test_routes_are_counted_where_they_may_attach() -> None:
    plain = {"name": "http", "port": 80, "protocol": "HTTP"}
    everywhere = {**plain, "name": "all", "allowedRoutes": {"namespaces": {"from": "All"}}}

    def route(namespace: str, **parent: str) -> Object:
        reference = {"name": "gateway", "namespace": "ours", **parent}
        return {
            "metadata": {"namespace": namespace, "name": "r"},
            "spec": {"parentRefs": [reference]},
        }

    routes = [
        route("ours"),
        route("other"),
        route("ours", sectionName="all"),
        route("ours", name="x"),
    ]
    status = gateway_status(gateway(plain, everywhere), None, {}, ProxyState(), routes)
    assert [listener["attachedRoutes"] for listener in status["listeners"]] == [1, 3]


def test_an_unchanged_status_is_equal_to_what_was_written() -> None:
    status = gateway_status(gateway(https("a", "a.b", "c")), None, {}, ProxyState(), [])
    written = with_times(status, {})
    assert with_times(status, written) == written
    for item in written["conditions"]:
        item["lastTransitionTime"] = "2000-01-01T00:00:00Z"
    assert with_times(status, written) == written
    up = gateway_status(gateway(https("a", "a.b", "c")), None, {}, ProxyState((ADDRESS,), 1), [])
    times = {
        item["type"]: item["lastTransitionTime"] for item in with_times(up, written)["conditions"]
    }
    assert times["Accepted"] == "2000-01-01T00:00:00Z"
    assert times["Programmed"] > "2000-01-01T00:00:00Z"


def test_names_fit_and_differ() -> None:
    long = proxy_name("n" * 60, "g" * 60)
    assert len(long) <= 63
    assert long != proxy_name("n" * 60, "g" * 59 + "h")


def test_the_service_is_as_parameters_and_gateway_say() -> None:
    service = {
        "type": "LoadBalancer",
        "loadBalancerClass": "example.com/lb",
        "annotations": {"a": "parameters", "b": "parameters"},
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
    }
    parameters = {"spec": {"provider": {"kubernetes": {"envoyService": service}}}}
    listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}, https("a", "a.b", "c")]
    made = proxy_service(
        gateway(*listeners, infrastructure={"annotations": {"a": "gateway"}}),
        parameters,
        "system",
        ["http"],
    )
    assert made["metadata"]["annotations"] == {"a": "gateway", "b": "parameters"}
    assert made["spec"]["loadBalancerClass"] == "example.com/lb"
    assert made["spec"]["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    assert [(port["port"], port["targetPort"]) for port in made["spec"]["ports"]] == [(80, 10080)]


def test_addresses_by_their_type() -> None:
    ingress = [{"hostname": "x.example.com"}, {"ip": "192.0.2.7"}]
    service = {
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": ingress}},
    }
    assert service_addresses(service) == (
        {"type": "Hostname", "value": "x.example.com"},
        {"type": "IPAddress", "value": "192.0.2.7"},
    )
    assert service_addresses(None) == ()
