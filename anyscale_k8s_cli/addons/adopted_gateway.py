"""A Gateway that the user brings: looked at, used, never written."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons.addresses import Address
from anyscale_k8s_cli.addons.context import InstallContext
from anyscale_k8s_cli.addons.gateway import (
    GATEWAY_API,
    GatewayState,
    listeners,
    programmed,
)
from anyscale_k8s_cli.addons.no_address import no_address
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import object_key
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.resource import (
    GATEWAY_KIND,
    AdoptedResource,
    NotYetKnown,
    Observed,
    Resource,
    Unfit,
)
from anyscale_k8s_cli.run import StillWaiting


class AdoptedGateway(AdoptedResource[GatewayState]):
    """Fit when sessions and services reach it over TLS, with the operator's certificates."""

    kind: ClassVar[str] = GATEWAY_KIND

    def __init__(
        self,
        context: InstallContext,
        kubernetes: Kubernetes,
        name: str,
        registration: Resource[Registration] | None,
    ) -> None:
        """`name` is `NAMESPACE/NAME`. Without `registration` no certificates are looked for."""
        namespace, _, bare = name.partition("/")
        self.reference = Reference(GATEWAY_API, "Gateway", bare, namespace)
        super().__init__(
            key=object_key(self.reference),
            title=f"Gateway {name}",
            install=context.install,
            needs=(registration,) if registration else (),
        )
        self._context = context
        self._registration = registration
        self._kubernetes = kubernetes

    def read(self) -> Observed[GatewayState] | None:
        reference = self.reference
        found = self._kubernetes.get(GATEWAY_API, "Gateway", reference.name, reference.namespace)
        return None if found is None else self._observed(found)

    def ready(self, observed: Observed[GatewayState]) -> Observed[GatewayState]:
        """Once it serves at an address; raises `adopted-unfit` with what its owner can do."""
        last: list[Document | None] = [observed.output.document]

        def done(found: Document | None) -> Document:
            last[0] = found
            if found is None:
                raise StillWaiting("it does not exist")
            programmed(found)
            return found

        found = self._kubernetes.watch_until(
            self.reference,
            done,
            what="the Gateway's address",
            timeout=self._context.spec.timeouts.load_balancer,
            expired=lambda seen: no_address(self._kubernetes, self.reference, last[0], seen, None),
        )
        served = self._observed(found)
        if served.unfit:
            first = served.unfit[0]
            raise errors.CliError(
                errors.ADOPTED_UNFIT,
                f"{self.title} does not serve this cloud",
                cause=first.reason,
                evidence=tuple(item.reason for item in served.unfit[1:]),
                fix=first.fix,
            )
        return served

    def _observed(self, found: Document) -> Observed[GatewayState]:
        address: Address | None = None
        with suppress(StillWaiting):
            address = programmed(found)
        return Observed(
            id=found["metadata"]["uid"],
            output=GatewayState(found, address),
            settled=address is not None,
            unfit=tuple(self._unfit(found)),
        )

    def _unfit(self, found: Document) -> Iterator[Unfit]:
        there = found["spec"].get("listeners") or []
        namespace = self._context.install.namespace
        lacking: list[Document] = []
        reasons: list[str] = []
        for wanted in self._wanted():
            fitting = [item for item in there if _serves(item, wanted["hostname"])]
            why = (
                _unlike(found, fitting, wanted, namespace)
                if fitting
                else f"no HTTPS listener of it serves {wanted['hostname']}"
            )
            if why:
                reasons.append(why)
                lacking.append({**(fitting[0] if fitting else {}), **wanted})
        if reasons:
            fix = self._patch([*_others(there, lacking), *lacking])
            yield from (Unfit(reason, fix) for reason in reasons)

    def _wanted(self) -> list[Document]:
        """The HTTPS listeners that our own Gateway would have; without what is not known yet."""
        resource = ""
        if self._registration is not None:
            with suppress(NotYetKnown):
                resource = self._registration.output.cloud_resource_id
        wanted = [item for item in listeners(self._context, resource) if "hostname" in item]
        for item in wanted:
            for reference in item["tls"]["certificateRefs"]:
                if self.reference.namespace != self._context.install.namespace:
                    reference["namespace"] = self._context.install.namespace
            if not resource:
                del item["tls"]["certificateRefs"]
        return wanted

    def _patch(self, wanted: Sequence[Document]) -> str:
        change = json.dumps({"spec": {"listeners": wanted}})
        reference = self.reference
        return self._kubernetes.access.kubectl(
            f"patch gateway {reference.name} -n {reference.namespace} --type merge",
            f"-p {shlex.quote(change)}",
        )


@dataclass(frozen=True)
class _Certificate:
    name: str
    namespace: str


def _serves(listener: Document, hostname: str) -> bool:
    """Whether an HTTPS listener takes what comes for a wildcard; `*.a.b` takes `*.x.a.b`, too."""
    own = str(listener.get("hostname") or "")
    takes = not own or own == hostname or (own.startswith("*.") and hostname.endswith(own[1:]))
    return listener.get("protocol") == "HTTPS" and takes


def _unlike(
    gateway: Document, fitting: Sequence[Document], wanted: Document, namespace: str
) -> str:
    """Why none of the listeners for a hostname would do; empty where one does."""
    own = str(gateway["metadata"]["namespace"])
    reasons = [_of_listener(item, wanted, own, namespace) for item in fitting]
    return "" if "" in reasons else reasons[0]


def _of_listener(listener: Document, wanted: Document, own: str, namespace: str) -> str:
    name = listener.get("name")
    if listener.get("port") != wanted["port"]:
        return f"its listener {name} is on port {listener.get('port')}, not {wanted['port']}"
    tls = listener.get("tls") or {}
    if tls.get("mode", "Terminate") != "Terminate":
        return f"its listener {name} hands TLS through instead of ending it"
    there = _certificates(tls, own)
    missing = [item for item in _certificates(wanted["tls"], own) if item not in there]
    if missing:
        first = missing[0]
        return f"its listener {name} does not use the certificate {first.namespace}/{first.name}"
    allowed = (listener.get("allowedRoutes") or {}).get("namespaces") or {}
    if allowed.get("from", "Same") == "Same" and own != namespace:
        return f"its listener {name} takes no routes from the namespace {namespace}"
    return ""


def _certificates(tls: Any, own: str) -> list[_Certificate]:
    return [
        _Certificate(str(item.get("name")), str(item.get("namespace") or own))
        for item in tls.get("certificateRefs") or ()
    ]


def _others(there: Sequence[Document], replaced: Sequence[Document]) -> list[Document]:
    names = {item["name"] for item in replaced}
    return [item for item in there if item.get("name") not in names]
