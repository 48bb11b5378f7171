"""What is in the cluster of a cloud that is there: rights, Secrets, images and ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from anyscale_k8s_cli.addons import gateway_controller, gpu, nginx
from anyscale_k8s_cli.addons.addresses import address_of, proxy_services, service_reached
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.cluster.release_records import ReleaseRecord, newest
from anyscale_k8s_cli.operations.review import Image, Network, held_by, once
from anyscale_k8s_cli.operations.review.beforehand import listeners
from anyscale_k8s_cli.operations.wires import Wiring
from anyscale_k8s_cli.spec import brings_way_in

_ROLES = ("Role", "ClusterRole")
_ADDONS = (gateway_controller, gpu)


@dataclass(frozen=True)
class Inside:
    """Reads only, and of Secrets nothing but their names."""

    wiring: Wiring

    def roles(self) -> Iterator[Mapping[str, Any]]:
        """The rules of each role that a release has brought, as the cluster has them."""
        for release in self._releases:
            for item in release.objects:
                reference = item.reference
                if reference.kind not in _ROLES:
                    continue
                found = self.wiring.kubernetes.get(
                    reference.api_version, reference.kind, reference.name, reference.namespace
                )
                yield {
                    "kind": reference.kind,
                    "name": reference.name,
                    "namespace": reference.namespace,
                    "release": f"{release.namespace}/{release.name}",
                    "rules": None if found is None else list(found.get("rules") or ()),
                }

    def secrets(self) -> Iterator[Mapping[str, Any]]:
        for namespace in self._namespaces:
            found = self.wiring.kubernetes.list("v1", "Secret", namespace, metadata_only=True)
            for name in sorted(item["metadata"]["name"] for item in found):
                yield {"namespace": namespace, "name": name, "holds": held_by(name)}

    def images(self) -> tuple[Image, ...]:
        """Each that runs, or has run in a pod that is still told of."""
        return once(
            Image(namespace, status["image"], _digest(status.get("imageID") or ""))
            for namespace, pod in self._pods
            for status in _statuses(pod)
        )

    def network(self) -> Network:
        wiring = self.wiring
        entrance, spec = wiring.entrance, wiring.spec
        said = spec.network if spec and not brings_way_in(spec) else None
        if not entrance.by_gateway:
            services = tuple(entrance.services())
            reached = service_reached(services[0]) if services else None
            return Network(
                exposure=said.expose if said else "as your own way in is",
                allow_cidrs=said.allow_cidrs if said else (),
                address=reached.value if reached else entrance.told,
                listeners=(),
                load_balancers=tuple(map(_service, services)),
                ports=tuple(self._ports()),
            )
        gateway = entrance.gateway
        found = wiring.kubernetes.get(
            gateway.api_version, gateway.kind, gateway.name, gateway.namespace
        )
        address = address_of(found) if found else None
        return Network(
            exposure=said.expose if said else "as your gateway is",
            allow_cidrs=said.allow_cidrs if said else (),
            address=address.value if address else None,
            listeners=tuple(listeners(found)) if found else (),
            load_balancers=tuple(map(_service, proxy_services(wiring.kubernetes, gateway))),
            ports=tuple(self._ports()),
        )

    def _ports(self) -> Iterator[Mapping[str, Any]]:
        """What containers say that they listen on."""
        seen = {
            (namespace, container["name"], port["containerPort"], port.get("protocol", "TCP"))
            for namespace, pod in self._pods
            for container in pod["spec"].get("containers") or ()
            for port in container.get("ports") or ()
        }
        for namespace, container, port, protocol in sorted(seen):
            yield {
                "namespace": namespace,
                "container": container,
                "port": port,
                "protocol": protocol,
            }

    @cached_property
    def _releases(self) -> tuple[ReleaseRecord, ...]:
        """The operator's, and those of the add-ons that are ours."""
        kubernetes, own = self.wiring.kubernetes, self.wiring.install.namespace
        addons = (newest(kubernetes, part.NAMESPACE, part.RELEASE) for part in _ADDONS)
        ingress = newest(kubernetes, own, nginx.RELEASE)
        return tuple(item for item in (self.wiring.release, ingress, *addons) if item is not None)

    @property
    def _namespaces(self) -> list[str]:
        return list(
            dict.fromkeys(
                (self.wiring.install.namespace, *(item.namespace for item in self._releases))
            )
        )

    @cached_property
    def _pods(self) -> tuple[tuple[str, Document], ...]:
        def pods(namespace: str) -> Documents:
            return self.wiring.kubernetes.list("v1", "Pod", namespace)

        return tuple((place, pod) for place in self._namespaces for pod in pods(place))


def _statuses(pod: Document) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    for part in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(part) or ()


def _digest(fetched: str) -> str:
    """`sha256:…` of `docker.io/library/python@sha256:…`."""
    return fetched.partition("@")[2]


def _service(service: Document) -> Mapping[str, Any]:
    metadata, spec = service["metadata"], service["spec"]
    return {
        "service": f"{metadata['namespace']}/{metadata['name']}",
        "annotations": dict(metadata.get("annotations") or {}),
        "source_ranges": list(spec.get("loadBalancerSourceRanges") or ()),
        "ports": [item["port"] for item in spec.get("ports") or ()],
    }
