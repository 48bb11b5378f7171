"""Volume claims: bound as soon as a storage class would provision them."""

from __future__ import annotations

from collections.abc import Iterable

from anyscale_k8s_cli.sandbox.kubernetes.cluster_events import record_event
from anyscale_k8s_cli.sandbox.kubernetes.controllers.manager import MANAGER
from anyscale_k8s_cli.sandbox.kubernetes.objects import annotations_of, dig, name_of
from anyscale_k8s_cli.sandbox.kubernetes.resources import Object
from anyscale_k8s_cli.sandbox.kubernetes.storage import Event
from anyscale_k8s_cli.sandbox.kubernetes.store import Store

_CLAIMS = "persistentvolumeclaims"
_CLASSES = "storageclasses.storage.k8s.io"
_IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"


class ClaimController:
    """Binds a claim if its storage class (or a default one) exists."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def wants(self, event: Event) -> bool:
        return event.key in (_CLAIMS, _CLASSES)

    def objects(self) -> Iterable[Object]:
        claims = self._store.items(_CLAIMS)
        return [claim for claim in claims if dig(claim, "status", "phase") != "Bound"]

    def reconcile(self, claim: Object) -> None:
        wanted = claim["spec"].get("storageClassName")
        known = self._store.items(_CLASSES)
        fitting = [
            c
            for c in known
            if name_of(c) == wanted
            or (wanted is None and annotations_of(c).get(_IS_DEFAULT) == "true")
        ]
        if not fitting:
            message = (
                f'storageclass.storage.k8s.io "{wanted}" not found'
                if wanted
                else "no persistent volumes available for this claim and no storage class is set"
            )
            record_event(
                self._store,
                claim,
                "ProvisioningFailed" if wanted else "FailedBinding",
                message,
                component="persistentvolume-controller",
                warning=bool(wanted),
            )
            return
        status = {
            "phase": "Bound",
            "accessModes": claim["spec"].get("accessModes") or [],
            "capacity": dig(claim, "spec", "resources", "requests") or {},
        }
        self._store.set_status(_CLAIMS, claim, status, MANAGER)
