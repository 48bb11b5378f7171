"""Finding installs with no ledger and no cluster: by the attributes of access keys."""

from __future__ import annotations

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Looking, Search
from anyscale_k8s_cli.providers.coreweave import tags
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.spec import Scope


def search(coreweave: CoreWeave, scope: Scope, cloud: str | None) -> Search:
    """Installs by keys that carry our locator."""
    looking = Looking()
    found = looking.at(
        "access keys of AI Object Storage",
        lambda: [tags.owner(item.attributes) for item in coreweave.storage.access_keys()],
    )
    installs = {
        install.id: install
        for install in found
        if install is not None and _fits(install, scope, cloud)
    }
    return Search(tuple(installs.values()), tuple(looking.searched), tuple(looking.unsearched))


def _fits(install: Install, scope: Scope, cloud: str | None) -> bool:
    region = scope.region.lower() if scope.region else None
    return (
        cloud in (None, install.cloud)
        and install.is_in(region)
        and scope.cluster.name in (None, install.cluster, install.cluster_name)
    )
