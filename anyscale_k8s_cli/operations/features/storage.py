"""Features that hang on storage: logs in the console, their search, Redis, shared files."""

from __future__ import annotations

import re

from anyscale_k8s_cli.addons.file_storage import unfit_claim
from anyscale_k8s_cli.checks import Status, also, declared
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.controlplane.models import Cloud, DecoratedCloudResource, FileStorage
from anyscale_k8s_cli.operations.features import Answer, Findings, no, unknown, works
from anyscale_k8s_cli.operations.wires import Wiring

_SLICES = "discovery.k8s.io/v1"
# A Service as pods call it: its name, and its namespace unless it is their own.
_SERVICE = re.compile(r"([a-z0-9-]+)(?:\.([a-z0-9-]+)(\.svc(?:\..+)?)?)?")
_ASK_A_POD = "anyscale cloud verify {} --only pod-egress"


def console_logs(findings: Findings, resource: DecoratedCloudResource) -> Answer:
    """Of what the proof by use says, only a store without CORS is left to tell."""
    cors, storage = findings[declared.STORAGE_CORS.code], resource.object_storage
    if cors.status is Status.WARN:
        place = storage.bucket_name if storage else "the bucket"
        return no(cors.detail, f"read them where they are, in {place}")
    return works(cors.detail)


def log_ingestion(cloud: Cloud) -> Answer:
    if cloud.is_aggregated_logs_enabled is None:
        return unknown("the control plane does not tell whether it is switched on")
    if cloud.is_aggregated_logs_enabled:
        return works("switched on for the cloud")
    return no(
        "it is switched off for the cloud",
        f"anyscale cloud config update --cloud-id {cloud.id} --enable-log-ingestion",
    )


# -- Redis ------------------------------------------------------------------------


def fault_tolerance(wiring: Wiring, cloud: str) -> Answer:
    """Whether the Redis that is registered answers, as far as it can be known from here."""
    config = wiring.resource.kubernetes_config
    endpoint = (config.redis_endpoint if config else None) or ""
    if not endpoint:
        return no(
            "no Redis is registered, which would keep the head node's state",
            also(wiring.again, "--kubernetes-redis-endpoint HOST:PORT"),
        )
    host, _, port = endpoint.rpartition(":")
    return _of_service(wiring.kubernetes, host, port, wiring.install.namespace) or unknown(
        f"{endpoint} is registered, and only a pod can tell whether it answers",
        _ASK_A_POD.format(cloud),
    )


def _of_service(kubernetes: Kubernetes, host: str, port: str, own: str) -> Answer | None:
    """What the cluster says of a Redis of its own; None for one that is elsewhere."""
    named = _SERVICE.fullmatch(host)
    if named is None:
        return None
    name, namespace, inside = named[1], named[2] or own, named[3]
    service = kubernetes.get("v1", "Service", name, namespace)
    look = kubernetes.access.kubectl(f"-n {namespace} get service,endpointslices,pods")
    if service is None:
        return no(f"there is no Service {namespace}/{name}", look) if inside else None
    if service["spec"].get("type") == "ExternalName":
        return None
    ports = [str(item["port"]) for item in service["spec"].get("ports") or ()]
    if port not in ports:
        return no(f"Service {namespace}/{name} has no port {port}, but {', '.join(ports)}", look)
    ready = sum(map(_ready, _slices(kubernetes, name, namespace)))
    if not ready:
        return no(f"nobody behind Service {namespace}/{name} is ready", look)
    return works(f"Service {namespace}/{name}, with {ready} behind it")


def _slices(kubernetes: Kubernetes, name: str, namespace: str) -> list[Document]:
    selector = f"kubernetes.io/service-name={name}"
    return kubernetes.list(_SLICES, "EndpointSlice", namespace, label_selector=selector)


def _ready(endpoints: Document) -> int:
    """How many are; one of which nothing is said counts as ready."""
    return sum(
        (item.get("conditions") or {}).get("ready") is not False
        for item in endpoints.get("endpoints") or ()
    )


# -- files that pods share ------------------------------------------------------------


def shared_storage(wiring: Wiring) -> Answer:
    said = wiring.resource.file_storage or FileStorage()
    if said.persistent_volume_claim:
        return _of_claim(wiring, said.persistent_volume_claim)
    if said.csi_ephemeral_volume_driver:
        return _of_driver(wiring, said.csi_ephemeral_volume_driver)
    elsewhere = said.file_storage_id or ", ".join(
        target.address for target in said.mount_targets or ()
    )
    if elsewhere:
        return unknown(
            f"{elsewhere} is registered, and only a pod that mounts it can tell",
            "start a workload that mounts it",
        )
    return no("none is registered", also(wiring.again, "--persistent-volume-claim NAME"))


def _of_claim(wiring: Wiring, name: str) -> Answer:
    kubernetes, namespace = wiring.kubernetes, wiring.install.namespace
    found = kubernetes.get("v1", "PersistentVolumeClaim", name, namespace)
    if found is None:
        return no(
            f"there is no claim {namespace}/{name}",
            "make a claim of that name, with access mode ReadWriteMany",
        )
    for unfit in unfit_claim(found):
        return no(f"claim {name}: {unfit.reason}", unfit.fix)
    if (found.get("status") or {}).get("phase") != "Bound":
        return unknown(
            f"claim {name} is not bound yet: its first pod may bind it",
            kubernetes.access.kubectl(f"-n {namespace} describe persistentvolumeclaim {name}"),
        )
    return works(f"claim {name}, bound to {found['spec'].get('volumeName') or 'a volume'}")


def _of_driver(wiring: Wiring, name: str) -> Answer:
    found = wiring.kubernetes.get("storage.k8s.io/v1", "CSIDriver", name)
    if found is None:
        return no(f"there is no CSI driver {name}", f"install the driver {name} in the cluster")
    # https://kubernetes.io/docs/concepts/storage/ephemeral-volumes/#csi-ephemeral-volumes
    if "Ephemeral" not in (found["spec"].get("volumeLifecycleModes") or ("Persistent",)):
        return no(
            f"the CSI driver {name} has no ephemeral volumes, which pods would ask it for",
            also(wiring.again, "--persistent-volume-claim NAME"),
        )
    return works(f"CSI driver {name}")
