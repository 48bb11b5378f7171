"""Whether a cluster's issuer can be read by a cloud: asked as the cloud would ask."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, passed
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.federation import declared
from anyscale_k8s_cli.providers.federation.sdk.session import Session

# Names that mean something in the cluster or in one's own rooms alone.
_INSIDE = (".svc", ".svc.cluster.local", ".cluster.local", ".local", ".internal", ".localhost")
_PATH = "/.well-known/openid-configuration"
_FIX = (
    f"publish the cluster's two documents ({_PATH} and the keys that it names) below an https "
    "address that everybody can read, a public bucket for example, and start the API server "
    "with --service-account-issuer and --service-account-jwks-uri of that address; "
    "or leave --identity out and give keys of the store"
)


def public_issuer(session: Session, issuer: Callable[[], Issuer]) -> BoundCheck:
    """The check, for a cluster that tells its issuer."""
    return declared.ISSUER_NOT_PUBLIC.bind(lambda: find(session, issuer()))


def find(session: Session, issuer: Issuer) -> Finding:
    """Reads what is published at the issuer's address, and compares it with the cluster's."""
    try:
        why = _unlike(session, issuer)
    except CloudFailure as failure:
        why = str(failure)
    return Finding(Status.FAIL, why, fix=_FIX) if why else passed(issuer.url)


def _unlike(session: Session, issuer: Issuer) -> str:
    """Why no cloud could trust the issuer; empty when it could."""
    if why := _not_public(issuer.url):
        return f"the cluster's issuer is {issuer.url or 'not told'}: {why}"
    told = session.get("issuer's configuration", issuer.url.rstrip("/") + _PATH)
    place, named = str(told.body.get("jwks_uri", "")), told.body.get("issuer")
    if not told.ok or named != issuer.url:
        found = f"tells of the issuer {named or 'nothing'}" if told.ok else f"answers {told.status}"
        return f"{issuer.url}{_PATH} {found}"
    if why := _not_public(place):
        return f"its keys are said to be at {place or 'no place'}: {why}"
    keys = session.get("issuer's keys", place)
    published = {str(key.get("kid", "")) for key in keys.body.get("keys") or ()}
    missing = issuer.keys - published
    if keys.ok and not missing:
        return ""
    found = f"lacks the keys {', '.join(sorted(missing))}" if keys.ok else f"answers {keys.status}"
    return f"{place} {found}, with which the cluster signs"


def _not_public(url: str) -> str:
    """Why nobody outside can read this address; empty where that is to be tried."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" or not host:
        return "clouds read issuers by https alone"
    try:
        address = ip_address(host)
    except ValueError:
        inside = "." not in host or f".{host}".endswith(_INSIDE)
        return "that name means something in the cluster alone" if inside else ""
    # A machine's own address is for trying things out on it.
    hidden = address.is_private and not address.is_loopback
    return "that address is a private one" if hidden else ""
