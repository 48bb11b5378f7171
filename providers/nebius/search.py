"""Finding installs with no ledger and no cluster: by labels on accounts, groups and buckets."""

from __future__ import annotations

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Looking, Search
from anyscale_k8s_cli.providers.nebius import tags
from anyscale_k8s_cli.providers.nebius.nebius import Nebius
from anyscale_k8s_cli.spec import Scope


def search(nebius: Nebius, scope: Scope, cloud: str | None) -> Search:
    """Installs by what carries our labels in the project."""
    project, looking = nebius.project, Looking()
    found: list[Install | None] = looking.at(
        f"service accounts of project {project}",
        lambda: [tags.owner_by_labels(item.labels) for item in nebius.iam.accounts()],
    )
    found += looking.at(
        f"groups of project {project}",
        lambda: [tags.owner_by_labels(item.labels) for item in nebius.iam.groups()],
    )
    found += looking.at(
        f"buckets of project {project}",
        lambda: [tags.owner_by_labels(item.settings.labels) for item in nebius.storage.states()],
    )
    installs = {
        install.id: install
        for install in found
        if install is not None and _fits(install, scope, cloud)
    }
    return Search(tuple(installs.values()), tuple(looking.searched), tuple(looking.unsearched))


def _fits(install: Install, scope: Scope, cloud: str | None) -> bool:
    return (
        cloud in (None, install.cloud)
        and install.is_in(scope.region)
        and scope.cluster.name in (None, install.cluster, install.cluster_name)
    )
