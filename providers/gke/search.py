"""Finding installs with no ledger and no cluster: by locators on accounts and buckets."""

from __future__ import annotations

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Looking, Search
from anyscale_k8s_cli.providers.gke import tags
from anyscale_k8s_cli.providers.gke.google import Google
from anyscale_k8s_cli.spec import Scope


def search(google: Google, scope: Scope, cloud: str | None) -> Search:
    """Installs by the descriptions of service accounts and the labels of buckets."""
    project, looking = google.project, Looking()
    found: list[Install | None] = looking.at(
        f"service accounts of project {project}",
        lambda: [
            tags.owner_by_description(account.description, project)
            for account in google.iam.accounts()
        ],
    )
    found += looking.at(
        f"Cloud Storage buckets of project {project}",
        lambda: [tags.owner_by_labels(labels, project) for _, labels in google.storage.labels()],
    )
    installs = {
        install.id: install
        for install in found
        if install is not None and _fits(install, scope, cloud)
    }
    return Search(tuple(installs.values()), tuple(looking.searched), tuple(looking.unsearched))


def _fits(install: Install, scope: Scope, cloud: str | None) -> bool:
    _, _, cluster = tags.cluster_parts(install.cluster)
    return (
        cloud in (None, install.cloud)
        and install.is_in(scope.region)
        and scope.cluster.name in (None, install.cluster, cluster)
    )
