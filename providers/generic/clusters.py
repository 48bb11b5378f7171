"""Clusters as a kubeconfig tells of them; each is known by the UID of `kube-system`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.context import ContextCluster, context_names, open_context
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Cluster
from anyscale_k8s_cli.run import Run

_PLATFORM = "generic"

ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Place:
    """A context of a kubeconfig; without a file the usual places are meant."""

    context: str
    kubeconfig: Path | None = None


class Clusters:
    """Remembers where each cluster was found, for what is known by its UID alone."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}

    def at(self, place: Place, region: str) -> Cluster:
        """The cluster that a context leads to. Raises as the Kubernetes client does."""
        opened = open_context(place.context, place.kubeconfig, self._run, _PLATFORM)
        uid = opened.uid()
        with self._lock:
            self._places[uid] = place
        return Cluster(
            name=place.context,
            id=uid,
            account=uid,
            region=region,
            version=opened.version(),
            access=opened.access,
            zones=zones(opened),
        )

    def issuer(self, place: Place) -> Issuer:
        """Who signs the tokens of the cluster's service accounts."""
        return open_context(place.context, place.kubeconfig, self._run, _PLATFORM).issuer()

    def secret(self, install: Install, name: str) -> Mapping[str, Any] | None:
        """A Secret of the install's namespace; None where the cluster is not known of."""
        place = self.place(install.cluster)
        if place is None:
            return None
        opened = open_context(place.context, place.kubeconfig, self._run, _PLATFORM)
        return opened.get("v1", "Secret", name, install.namespace)

    def place(self, uid: str) -> Place | None:
        """Where the cluster is: where it was found, else the first context that leads to it."""
        if uid in self._places:
            return self._places[uid]
        for place in self._others():
            self._run.check()
            try:
                found = open_context(place.context, place.kubeconfig, self._run, _PLATFORM).uid()
            except errors.CliError as problem:
                if problem.exit_code in (errors.ExitCode.INTERRUPTED, errors.ExitCode.TERMINATED):
                    raise
                continue
            with self._lock:
                self._places[found] = place
            if found == uid:
                return place
        return None

    def _others(self) -> Iterator[Place]:
        known = set(self._places.values())
        for name in context_names(None):
            if Place(name) not in known:
                yield Place(name)


def zones(opened: ContextCluster) -> tuple[str, ...]:
    """The zones that the nodes say they are in; clusters of one's own often have none."""
    found = {
        str((node["metadata"].get("labels") or {}).get(ZONE_LABEL, ""))
        for node in opened.list("v1", "Node")
    }
    return tuple(sorted(found - {""}))
