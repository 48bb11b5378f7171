"""The clusters of the project as Google holds them, apart from what runs in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from anyscale_k8s_cli.sandbox.google.seed import GkeClusterSeed


@dataclass
class Cluster:
    """A cluster. The endpoints are `host:port`, known once an API server listens.

    `ca_pem` is for the endpoint with an address; the one with a name has a
    certificate that everybody trusts.
    """

    seed: GkeClusterSeed
    endpoint: str = ""
    dns_endpoint: str = ""
    ca_pem: bytes = b""
    status: str = ""
    metadata_modes: dict[str, str] = field(default_factory=dict)
    reads_left: int = 0

    def __post_init__(self) -> None:
        self.status = self.seed.status
        self.reads_left = self.seed.reads_while_creating
        self.metadata_modes = {pool.name: pool.metadata_mode for pool in self.seed.node_pools}

    def read(self) -> str:
        """Its status at one more reading."""
        if self.reads_left:
            self.reads_left -= 1
            return "PROVISIONING"
        return self.status


class Clusters:
    """By location and name. `silent` are zones that do not answer for now."""

    def __init__(self, seeds: Sequence[GkeClusterSeed]) -> None:
        self.silent: set[str] = set()
        self._clusters = {(seed.location, seed.name): Cluster(seed) for seed in seeds}

    def all(self) -> list[Cluster]:
        return list(self._clusters.values())

    def find(self, location: str, name: str) -> Cluster | None:
        return self._clusters.get((location, name))

    def named(self, name: str) -> Cluster:
        """The only cluster of this name here. Raises KeyError."""
        for cluster in self._clusters.values():
            if cluster.seed.name == name:
                return cluster
        raise KeyError(name)

    def by_issuer(self, issuer: str) -> Cluster | None:
        return next((c for c in self._clusters.values() if c.seed.issuer == issuer), None)

    def remove(self, name: str) -> None:
        seed = self.named(name).seed
        del self._clusters[seed.location, seed.name]
