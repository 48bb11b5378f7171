"""Review: all of a cloud that those who answer for security ask about, on one page. Reads only.

What is made outside the cluster, and with which rights, is the provider's to say, as before
a setup (`Provider.makes`); the rest is read from the cluster as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.addons import gateway_controller, gpu
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord, in_force
from anyscale_k8s_cli.controlplane.origin import user_data_domain
from anyscale_k8s_cli.ledger import UNTOLD
from anyscale_k8s_cli.operations.behind import look_behind
from anyscale_k8s_cli.operations.clouds import opened
from anyscale_k8s_cli.operations.from_pod import of_anyscale
from anyscale_k8s_cli.operations.requests import StatusRequest
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.provider import Made, NamesEndpoints
from anyscale_k8s_cli.resource import Claim, NotYetKnown
from anyscale_k8s_cli.run import Run

REVIEW_SCHEMA = "anyscale-k8s/review/v1"
_RBAC = ("Role", "ClusterRole")
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
# Where images without a registry in their name come from.
_DOCKER = "docker.io"
_YOURS = "yours: it is used as you made it"
# Where the chart keeps what the operator signs in with, https://github.com/anyscale/helm-charts
_TOKEN_SECRET = "anyscale-cli-token"  # noqa: S105 - a name
# The operator's webhook, asked by the API server.
_WEBHOOK_KIND = "ValidatingWebhookConfiguration"


@dataclass(frozen=True)
class Reviewed:
    """What was found; each part is a list of plain records, for tables and for JSON."""

    cloud: str
    cloud_id: str
    wiring: Wiring

    def as_json(self) -> dict[str, Any]:
        wiring, install = self.wiring, self.wiring.install
        return {
            "schema": REVIEW_SCHEMA,
            "cloud": self.cloud,
            "cloud_id": self.cloud_id,
            "provider": install.provider,
            "account": install.account,
            "region": install.region,
            "cluster": install.cluster,
            "operator_namespace": install.namespace,
            "outside": list(_outside(wiring)),
            "rights": list(_rights(wiring)),
            "secrets": list(_secrets(wiring)),
            "ports": list(_ports(wiring)),
            "egress": list(_egress(wiring)),
            "images": list(_images(wiring.kubernetes, _namespaces(wiring))),
            "setup": f"anyscale cloud permissions --provider {install.provider} --verb setup",
        }


async def review(request: StatusRequest, run: Run) -> Reviewed:
    """Look at a cloud and its cluster.

    Raises `cluster-unreachable` where its cluster cannot be looked into, and what finding
    the cloud raises.
    """

    def look() -> Reviewed:
        with opened(request, run) as clouds:
            behind = look_behind(request, clouds, run, named_too=True)
        if behind.wiring is None:
            raise errors.CliError(
                errors.CLUSTER_UNREACHABLE,
                f"The cluster of {behind.cloud.name} cannot be looked into",
                cause=behind.why_unseen,
                fix=behind.unseen.command if behind.unseen else behind.again,
            )
        return Reviewed(behind.cloud.name, behind.cloud.id, behind.wiring)

    return await asyncio.to_thread(look)


# -- outside the cluster ------------------------------------------------------------------


def _outside(wiring: Wiring) -> Iterator[dict[str, Any]]:
    """What is made there, with its rights; and what is the user's own, whose rights he knows."""
    side = wiring.side
    if side is None:
        yield {"what": UNTOLD, "name": "", "where": "", "rights": [], "ours": False}
        return
    own = side.storage.claim is not Claim.ADOPT
    yield {
        "what": side.storage.title,
        "name": side.storage.key,
        "where": wiring.install.region,
        "rights": [] if own else [_YOURS],
        "ours": own,
    }
    brought = [
        item for item in side.resources if item.claim is Claim.ADOPT and item is not side.storage
    ]
    for item in brought:
        yield {
            "what": item.title,
            "name": item.key,
            "where": "",
            "rights": [_YOURS],
            "ours": False,
        }
    for made in () if brought else wiring.provider.makes(wiring.install):
        if not _is_bucket(made):
            yield {
                "what": made.what,
                "name": made.name,
                "where": made.scope,
                "rights": list(made.rights),
                "ours": True,
            }


def _is_bucket(made: Made) -> bool:
    return made.what.endswith(("bucket", "storage account"))


def _egress(wiring: Wiring) -> Iterator[dict[str, str]]:
    """Whom pods talk to, and who else does. Nobody outside opens a connection to the operator."""
    pods = "pods"
    yield {"host": _host(wiring.host), "why": "control plane", "from": "operator and API server"}
    for origin in of_anyscale(wiring.host):
        yield {"host": _host(origin), "why": "control plane and artifacts", "from": pods}
    domain = user_data_domain(wiring.host)
    yield {"host": f"*.i.{domain}, *.s.{domain}", "why": "sessions and services", "from": "users"}
    side = wiring.side
    if side is not None:
        try:
            storage = wiring.bucket(side)
        except NotYetKnown:
            return
        places = [storage.endpoint]
        if wiring.spec is not None and isinstance(wiring.provider, NamesEndpoints):
            told = wiring.provider.workload_endpoints(wiring.spec, wiring.cluster, storage)
            places += [told.storage, told.tokens]
        hosts = sorted({_host(place) for place in places if place})
        for host in hosts or [f"the endpoint of {storage.url}, as its SDK knows it"]:
            yield {"host": host, "why": "bucket and identity", "from": pods}
    images = _images(wiring.kubernetes, _namespaces(wiring))
    for registry in sorted({_registry(item["image"]) for item in images}):
        yield {"host": registry, "why": "images", "from": "nodes"}


def _registry(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first) else _DOCKER


def _host(origin: str) -> str:
    return urlsplit(origin).netloc or origin


# -- in the cluster -------------------------------------------------------------------------


def _namespaces(wiring: Wiring) -> tuple[str, ...]:
    return (wiring.install.namespace, gateway_controller.NAMESPACE, gpu.NAMESPACE)


def _releases(wiring: Wiring) -> Iterator[ReleaseRecord]:
    kubernetes = wiring.kubernetes
    found = (
        wiring.release,
        *(in_force(kubernetes, part.NAMESPACE, part.RELEASE) for part in (gateway_controller, gpu)),
    )
    yield from (record for record in found if record is not None)


def _rights(wiring: Wiring) -> Iterator[dict[str, Any]]:
    """The roles that the releases bring, word for word, and who is bound to them."""
    for record in _releases(wiring):
        documents = [item.document for item in record.objects if item.document is not None]
        bindings = [item for item in documents if item.get("kind") in _BINDINGS]
        for item in documents:
            kind, name = str(item.get("kind")), str(item["metadata"]["name"])
            if kind in _RBAC:
                of_it = [one for one in bindings if one["roleRef"]["name"] == name]
                everywhere = any(one["kind"] == "ClusterRoleBinding" for one in of_it)
                yield {
                    "kind": kind,
                    "name": name,
                    "namespace": None if everywhere else record.namespace,
                    "release": f"{record.namespace}/{record.name}",
                    "subjects": sorted({_subject(who) for one in of_it for who in _whom(one)}),
                    "rules": item.get("rules") or [],
                }


def _whom(binding: Document) -> list[Document]:
    return list(binding.get("subjects") or ())


def _subject(subject: Document) -> str:
    place = f"{subject['namespace']}/" if subject.get("namespace") else ""
    return f"{subject['kind']} {place}{subject['name']}"


def _secrets(wiring: Wiring) -> Iterator[dict[str, str]]:
    """Where secrets are kept. Their values are read by nobody for this."""
    namespace = wiring.install.namespace
    if not wiring.provider.workload_identity:
        yield {
            "namespace": namespace,
            "name": _TOKEN_SECRET,
            "holds": "the token that the operator signs in with",
        }
        yield {
            "namespace": namespace,
            "name": f"sh.helm.release.v1.{wiring.release.name}.*" if wiring.release else "",
            "holds": "the same token, as a value of the release",
        }
    keys = wiring.side.storage_keys if wiring.side else None
    if keys is not None:
        yield {
            "namespace": namespace,
            "name": keys.credentials.SECRET,
            "holds": "what opens the bucket",
        }


def _ports(wiring: Wiring) -> Iterator[dict[str, Any]]:
    """Where somebody listens: the Gateway for users, and the webhook for the API server."""
    kubernetes, reference, spec = wiring.kubernetes, wiring.gateway, wiring.spec
    gateway = kubernetes.get(
        reference.api_version, reference.kind, reference.name, reference.namespace
    )
    who = "whoever reaches the load balancer"
    if spec is not None and spec.network.expose == "internal":
        who = "whoever reaches it from inside the network"
    if spec is not None and spec.network.allow_cidrs:
        who += f", from {', '.join(spec.network.allow_cidrs)} alone"
    for listener in (gateway or {}).get("spec", {}).get("listeners", ()):
        yield {
            "port": int(listener["port"]),
            "protocol": str(listener["protocol"]),
            "where": f"{reference}, listener {listener['name']}",
            "who": who,
        }
    for record in _releases(wiring):
        for item in record.objects:
            if item.reference.kind == _WEBHOOK_KIND and item.document is not None:
                yield from _webhooks(item.document)


def _webhooks(document: Document) -> Iterator[dict[str, Any]]:
    for hook in document.get("webhooks") or ():
        config = hook.get("clientConfig") or {}
        service: Mapping[str, Any] = config.get("service") or {}
        yield {
            "port": int(service.get("port") or urlsplit(str(config.get("url") or "")).port or 443),
            "protocol": "HTTPS",
            "where": f"webhook {hook['name']}",
            "who": f"the API server asks {service.get('name') or config.get('url')}",
        }


def _images(kubernetes: Kubernetes, namespaces: tuple[str, ...]) -> list[dict[str, str]]:
    """What runs now, with its digest as the node tells it."""
    found: dict[tuple[str, str], str] = {}
    for namespace in namespaces:
        for pod in kubernetes.list("v1", "Pod", namespace):
            ids = {
                str(status["name"]): str(status.get("imageID") or "")
                for status in (pod.get("status") or {}).get("containerStatuses") or ()
            }
            spec = pod["spec"]
            for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
                _, at, digest = ids.get(str(container["name"]), "").rpartition("@")
                found.setdefault((namespace, str(container["image"])), digest if at else "")
    return [
        {"image": image, "digest": digest, "namespace": namespace}
        for (namespace, image), digest in sorted(found.items())
    ]
