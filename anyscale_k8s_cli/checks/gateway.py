"""Checks of a gateway that is there: what its listeners say, and their certificates."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes

# The operator renews them long before.
WARNED_BEFORE = timedelta(days=21)
# The operator makes the certificate of services only with the first service.
_FOR_SERVICES = "anyscale-svc-"


@dataclass(frozen=True)
class Certificate:
    """Where a listener has it from, and the leaf; None where the Secret is not there."""

    listener: str
    hostname: str
    secret: str
    leaf: bytes | None

    @property
    def name(self) -> str:
        return self.secret.partition("/")[2]


def gateway_checks(
    kubernetes: Kubernetes, reference: Reference, again: str, about: Sequence[str] = ()
) -> tuple[BoundCheck, ...]:
    """`again` is the command that sets the cloud up once more; `about` are keys of our own."""

    def look() -> Document | None:
        where = (reference.api_version, reference.kind, reference.name, reference.namespace)
        return kubernetes.get(*where)

    absent = Finding(Status.UNKNOWN, f"{reference} is not there")

    def listeners() -> Finding:
        found = look()
        return unserved(found, again) if found else absent

    def certificates() -> Finding:
        found = look()
        if found is None:
            return absent
        return validity(list(_certificates(kubernetes, found)), datetime.now(UTC))

    return (
        declared.GATEWAY_LISTENERS.bind(listeners, about),
        declared.GATEWAY_CERTIFICATES.bind(certificates),
    )


def ingress_checks(kubernetes: Kubernetes, namespace: str) -> tuple[BoundCheck, ...]:
    """Of Ingresses there are no listeners to tell anything; their certificates are looked at."""

    def certificates() -> Finding:
        found = kubernetes.list("networking.k8s.io/v1", "Ingress", namespace)
        told = [item for ingress in found for item in _of_ingress(kubernetes, ingress)]
        return validity(told, datetime.now(UTC))

    return (declared.GATEWAY_CERTIFICATES.bind(certificates),)


def unserved(gateway: Document, again: str = "") -> Finding:
    """Listeners that their controller does not serve, in its own words."""
    status = gateway.get("status") or {}
    told = {item["name"]: item.get("conditions") or [] for item in status.get("listeners") or ()}
    listeners = gateway["spec"].get("listeners") or []
    silent = [item["name"] for item in listeners if item["name"] not in told]
    if silent:
        return Finding(
            Status.FAIL, f"no controller tells of the listeners {', '.join(silent)}", fix=again
        )
    waiting: list[str] = []
    broken: list[str] = []
    for listener in listeners:
        for condition in told[listener["name"]]:
            if condition.get("status") == "False" and condition["type"] != "Conflicted":
                line = f"{listener['name']}: {condition['type']}: {condition.get('message', '')}"
                (waiting if _for_services(listener) else broken).append(line)
            elif condition.get("status") == "True" and condition["type"] == "Conflicted":
                broken.append(f"{listener['name']}: {condition.get('message', '')}")
    if broken:
        return Finding(Status.FAIL, broken[0], tuple(broken[1:]), again)
    ready = len(listeners) - bool(waiting)
    more = "; that of services waits for the first service" if waiting else ""
    return passed(f"{ready} of {len(listeners)} listeners{more}")


def validity(certificates: Sequence[Certificate], now: datetime) -> Finding:
    """Whether they are valid now, and for a while."""
    ends: list[tuple[datetime, str]] = []
    for item in certificates:
        if item.leaf is None:
            if item.name.startswith(_FOR_SERVICES):
                continue
            # Whether it is the Secret that is wrong, or its name, the gateway's controller says.
            return Finding(Status.UNKNOWN, f"{item.secret}: there is no certificate")
        end, problem = _examined(item.leaf, item.hostname, now)
        if end is None:
            return _broken(item, problem)
        ends.append((end, item.secret))
    if not ends:
        return passed("the operator has made none yet")
    end, secret = min(ends)
    if end - now < WARNED_BEFORE:
        return Finding(Status.WARN, f"{secret}: expires on {end:%Y-%m-%d}", fix=_RENEW)
    return passed(f"until {end:%Y-%m-%d}")


def _examined(pem: bytes, hostname: str, now: datetime) -> tuple[datetime | None, str]:
    """When it ends; or None, and what is wrong with it."""
    from cryptography import x509

    try:
        leaf = x509.load_pem_x509_certificate(pem)
    except ValueError as problem:
        return None, f"what is in it is no certificate: {problem}"
    begin, end = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if begin > now:
        return None, f"it is valid only from {begin:%Y-%m-%d}"
    if end <= now:
        return None, f"it expired on {end:%Y-%m-%d}"
    if not _names(leaf, hostname):
        return None, f"it is not for {hostname}"
    return end, ""


_RENEW = (
    "the operator renews it: see that it runs, and delete the Secret if it does not; it is "
    "made again"
)


def _broken(item: Certificate, why: str) -> Finding:
    return Finding(Status.FAIL, f"{item.secret} of listener {item.listener}: {why}", fix=_RENEW)


def _names(leaf: Any, hostname: str) -> bool:
    """Whether the certificate is for the listener's hostname, which may begin with `*.`."""
    from cryptography import x509

    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return False
    names = extension.value.get_values_for_type(x509.DNSName)
    return not hostname or hostname in names or f"*.{hostname.partition('.')[2]}" in names


def _certificates(kubernetes: Kubernetes, gateway: Document) -> Iterator[Certificate]:
    own = gateway["metadata"]["namespace"]
    for listener in gateway["spec"].get("listeners") or ():
        for reference in (listener.get("tls") or {}).get("certificateRefs") or ():
            namespace, name = reference.get("namespace") or own, reference["name"]
            secret = kubernetes.get("v1", "Secret", name, namespace)
            hostname = str(listener.get("hostname") or "")
            yield Certificate(
                listener["name"], hostname, f"{namespace}/{name}", _leaf(secret or {})
            )


def _of_ingress(kubernetes: Kubernetes, ingress: Document) -> Iterator[Certificate]:
    namespace, own = ingress["metadata"]["namespace"], ingress["metadata"]["name"]
    for item in ingress["spec"].get("tls") or ():
        if name := item.get("secretName"):
            secret = kubernetes.get("v1", "Secret", name, namespace)
            host = str(next(iter(item.get("hosts") or ()), ""))
            yield Certificate(own, host, f"{namespace}/{name}", _leaf(secret or {}))


def _leaf(secret: Mapping[str, Any]) -> bytes | None:
    try:
        return base64.b64decode((secret.get("data") or {})["tls.crt"])
    except (KeyError, binascii.Error):
        return None


def _for_services(listener: Document) -> bool:
    references = (listener.get("tls") or {}).get("certificateRefs") or ()
    return any(str(item["name"]).startswith(_FOR_SERVICES) for item in references)
