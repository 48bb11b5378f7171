"""Finding installs with no ledger and no cluster: by tags on identities and storage accounts."""

from __future__ import annotations

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Looking, Search
from anyscale_k8s_cli.providers.aks import tags
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.spec import Scope


def search(azure: Azure, scope: Scope, cloud: str | None) -> Search:
    """Installs in the whole subscription, whatever resource group they are in."""
    subscription, looking = azure.subscription_id, Looking()
    found: list[Install | None] = looking.at(
        f"managed identities of subscription {subscription}",
        lambda: [tags.owner(item.tags, subscription) for item in azure.identities.all()],
    )
    found += looking.at(
        f"storage accounts of subscription {subscription}",
        lambda: [tags.owner(item.settings.tags, subscription) for item in azure.storage.accounts()],
    )
    installs = {
        install.id: install
        for install in found
        if install is not None and _fits(install, scope, cloud)
    }
    return Search(tuple(installs.values()), tuple(looking.searched), tuple(looking.unsearched))


def _fits(install: Install, scope: Scope, cloud: str | None) -> bool:
    _, group, cluster = tags.cluster_parts(install.cluster)
    wanted_group, wanted = scope.account.resource_group, scope.cluster.name
    return (
        cloud in (None, install.cloud)
        and scope.region in (None, install.region)
        and (wanted_group is None or wanted_group.lower() == group)
        and (wanted is None or wanted.lower() in (install.cluster, cluster))
    )
