"""Review: one page of all that an install may and has, for those who must agree to it.

`live.py` reads it off a cloud that is there, `beforehand.py` tells it from a spec alone.
What only the documentation says is in `templates/review/known.yaml`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from anyscale_k8s_cli.addons.names import SERVICE_ACCOUNT, WORKLOAD_ACCOUNT
from anyscale_k8s_cli.cloud_side import WorkloadEndpoints
from anyscale_k8s_cli.controlplane.origin import api_origin, cors_origin
from anyscale_k8s_cli.operations.permissions import in_cloud, in_cluster
from anyscale_k8s_cli.provider import PolicyDocument, Verb
from anyscale_k8s_cli.resource import Ownership
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.templates import load_yaml

REVIEW_SCHEMA = "anyscale-k8s/review/v1"
# Where no platform vouches for the operator.
SIGNS_IN = "Anyscale service account, of which the operator has a key"
_PODS = "operator, Ray's pods"


@dataclass(frozen=True)
class Place:
    """Which install; `live` is whether it was looked at. What is not known is None."""

    cloud: str
    provider: str
    namespace: str
    live: bool
    account: str | None = None
    region: str | None = None
    cluster: str | None = None


@dataclass(frozen=True)
class Holder:
    """Somebody or something with rights, and the documents that give them, verbatim."""

    title: str
    name: str
    ownership: str
    rights: tuple[str, ...] = ()
    documents: tuple[PolicyDocument, ...] = ()

    def as_json(self) -> dict[str, Any]:
        documents = [vars(item) for item in self.documents]
        return {**vars(self), "rights": list(self.rights), "documents": documents}


@dataclass(frozen=True)
class Network:
    """Ways in: who may come to which address, where it listens, and which ports pods have."""

    exposure: str
    allow_cidrs: tuple[str, ...]
    address: str | None
    listeners: tuple[Mapping[str, Any], ...]
    load_balancers: tuple[Mapping[str, Any], ...] = ()
    ports: tuple[Mapping[str, Any], ...] = ()


class Image(NamedTuple):
    """What runs, or will; the digest is that which a node has fetched, empty for none."""

    namespace: str
    image: str
    digest: str = ""


@dataclass(frozen=True)
class Bucket:
    """Where data is. `protection` is empty where the store tells nothing of it."""

    bucket: str
    region: str | None
    ownership: str
    protection: Mapping[str, str]


@dataclass(frozen=True)
class Review:
    """The page. `unknown` says what could not be told, and why."""

    place: Place
    identities: tuple[Holder, ...]
    kubernetes: tuple[Mapping[str, Any], ...]
    secrets: tuple[Mapping[str, Any], ...]
    network: Network
    egress: tuple[Mapping[str, str], ...]
    images: tuple[Image, ...]
    outside: tuple[Mapping[str, str], ...]
    data: tuple[Bucket, ...]
    setup: tuple[PolicyDocument, ...]
    unknown: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": REVIEW_SCHEMA,
            **vars(self.place),
            "identities": [item.as_json() for item in self.identities],
            "kubernetes": [dict(item) for item in self.kubernetes],
            "secrets": [dict(item) for item in self.secrets],
            "network": _plain(vars(self.network)),
            "egress": [dict(item) for item in self.egress],
            "images": [item._asdict() for item in self.images],
            "outside": [dict(item) for item in self.outside],
            "data": [{**vars(item), "protection": dict(item.protection)} for item in self.data],
            "setup": {
                "command": f"anyscale cloud permissions --provider {self.place.provider}",
                "documents": [vars(item) for item in self.setup],
            },
            "unknown": list(self.unknown),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def pods_accounts(namespace: str, *rights: str, separate: bool = False) -> Iterator[Holder]:
    """Whom the operator and Ray's pods are in the cluster; `rights` are the operator's."""
    ours, name = Ownership.OURS.value, f"{namespace}/{SERVICE_ACCOUNT}"
    if not separate:
        yield Holder("service account of the pods", name, ours, rights)
        return
    yield Holder("service account of the operator", name, ours, rights)
    yield Holder("service account of Ray's pods", f"{namespace}/{WORKLOAD_ACCOUNT}", ours)


def outsiders(host: str, *, separate: bool) -> tuple[dict[str, str], ...]:
    """Who gets something done without being of the cloud or the cluster."""
    whose = "these pods' own" if separate else "the operator's"
    return tuple(known("outside", host, whose))


def known(part: str, host: str = "", account: str = "") -> list[dict[str, str]]:
    """What the documentation says of a part, for a control plane; `account` is of Ray's pods."""
    values = {
        "host": urlsplit(host).netloc or host,
        "origin": cors_origin(host) if host else "",
        "account": account,
    }
    found: list[dict[str, str]] = load_yaml("review/known.yaml", values)[part]
    return found


def held_by(secret: str) -> str:
    """What a Secret of that name holds; empty for one that nobody here knows."""
    fitting = (item["holds"] for item in known("secrets") if fnmatchcase(secret, item["name"]))
    return next(fitting, "")


def egress(
    host: str, store: WorkloadEndpoints, registries: Iterable[str]
) -> tuple[Mapping[str, str], ...]:
    """Where connections go, each host once: what follows from the plane, the store, the images."""
    found: dict[str, dict[str, str]] = {}
    for item in _egress(host, store, registries):
        told = found.setdefault(item["host"], dict(item))
        if item["why"] not in told["why"]:
            told["why"] += f"; {item['why']}"
    return tuple(found.values())


def _egress(
    host: str, store: WorkloadEndpoints, registries: Iterable[str]
) -> Iterator[Mapping[str, str]]:
    yield from known("egress", host)
    if api := api_origin(host):
        yield _way(api, _PODS, "Anyscale's API")
        for origin in load_yaml("pod_probe/hosts.yaml"):
            yield _way(origin, "Ray's pods", "what Anyscale's images fetch when they start")
    if store.storage:
        yield _way(store.storage, _PODS, "the bucket")
    if store.tokens:
        yield _way(store.tokens, _PODS, "a pod's own token is exchanged for one of the store's")
    for registry in registries:
        yield _way(registry, "nodes", "images")


def _way(origin: str, whence: str, why: str) -> Mapping[str, str]:
    return {"host": urlsplit(origin).netloc or origin, "from": whence, "why": why}


def registry_of(image: str) -> str:
    """The host that an image is fetched from."""
    host, slash, _ = image.partition("/")
    return host if slash and (set(".:") & set(host) or host == "localhost") else "docker.io"


def once(images: Iterable[Image]) -> tuple[Image, ...]:
    """Each image of a namespace once, and without a digest only where none is known."""
    seen = sorted(set(images))
    known = {(item.image, item.namespace) for item in seen if item.digest}
    return tuple(item for item in seen if item.digest or (item.image, item.namespace) not in known)


def of_setup(provider: str, run: Run) -> Sequence[PolicyDocument]:
    """What whoever sets up must be granted."""
    return (*in_cloud(provider, Verb.SETUP, run), *in_cluster(Verb.SETUP))
