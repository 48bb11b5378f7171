"""Shared storage that the user brings: a claim or a driver in the cluster, looked at only.

NFS servers and Redis are out of sight from here; what is said of them is registered as it is.
"""

from __future__ import annotations

from typing import ClassVar

from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.cluster.kubernetes import Kubernetes
from anyscale_k8s_cli.cluster.objects import object_key
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import AdoptedResource, Observed, Unfit
from anyscale_k8s_cli.spec import CloudSpec

_BOUND = "Bound"
_SHARED = "ReadWriteMany"


class AdoptedStorage(AdoptedResource[Document]):
    """The object in the cluster that pods mount."""

    kind: ClassVar[str] = "k8s:file-storage"

    def __init__(
        self, install: Install, kubernetes: Kubernetes, reference: Reference, title: str
    ) -> None:
        super().__init__(key=object_key(reference), title=title, install=install)
        self.reference = reference
        self._kubernetes = kubernetes

    def read(self) -> Observed[Document] | None:
        reference = self.reference
        found = self._kubernetes.get(
            reference.api_version, reference.kind, reference.name, reference.namespace
        )
        if found is None:
            return None
        unfit = unfit_claim(found) if reference.kind == "PersistentVolumeClaim" else ()
        return Observed(id=found["metadata"]["uid"], output=found, unfit=unfit)


def file_storage(
    spec: CloudSpec, install: Install, kubernetes: Kubernetes
) -> tuple[AdoptedStorage, ...]:
    """What the spec names of it, if it is in the cluster."""
    said = spec.existing.file_storage
    if said.persistent_volume_claim:
        name = said.persistent_volume_claim
        place = Reference("v1", "PersistentVolumeClaim", name, install.namespace)
        title = f"claim {name} for shared storage"
        return (AdoptedStorage(install, kubernetes, place, title),)
    if said.csi_ephemeral_volume_driver:
        name = said.csi_ephemeral_volume_driver
        driver = Reference("storage.k8s.io/v1", "CSIDriver", name)
        title = f"CSI driver {name} for shared storage"
        return (AdoptedStorage(install, kubernetes, driver, title),)
    return ()


def unfit_claim(claim: Document) -> tuple[Unfit, ...]:
    """A claim that waits for its first pod is bound with it; one that is lost never is."""
    phase = (claim.get("status") or {}).get("phase", "Pending")
    modes = claim["spec"].get("accessModes") or []
    found = []
    if phase not in (_BOUND, "Pending"):
        found.append(Unfit(f"it is {phase}", "make the claim again with a volume that is there"))
    if _SHARED not in modes:
        found.append(
            Unfit(
                f"its access modes are {', '.join(modes)}: pods on several nodes cannot share it",
                f"make a claim with access mode {_SHARED}, which its storage class must offer",
            )
        )
    return tuple(found)
