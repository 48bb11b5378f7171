"""Finding installs with no ledger and no cluster: by tags on users, groups and buckets."""

from __future__ import annotations

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Looking, Search
from anyscale_k8s_cli.providers.oke import tags
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.spec import Scope


def search(oracle: Oracle, scope: Scope, cloud: str | None, compartment: str) -> Search:
    """Installs by what carries our tags; buckets in one compartment, or in all if it is empty."""
    looking, identity = Looking(), oracle.identity
    found: list[Install | None] = looking.at(
        "users of the tenancy", lambda: [tags.owner_by_tags(item.tags) for item in identity.users()]
    )
    found += looking.at(
        "groups of the tenancy",
        lambda: [tags.owner_by_tags(item.tags) for item in identity.groups()],
    )
    places = [(compartment, compartment)] if compartment else identity.compartments()
    for place, name in places:
        found += looking.at(
            f"buckets of {name} in {oracle.region}",
            lambda place=place: [  # type: ignore[misc]
                tags.owner_by_tags(item) for _, item in oracle.buckets.tagged(place)
            ],
        )
    installs = {
        install.id: install
        for install in found
        if install is not None and _fits(install, scope, cloud, compartment)
    }
    return Search(tuple(installs.values()), tuple(looking.searched), tuple(looking.unsearched))


def _fits(install: Install, scope: Scope, cloud: str | None, compartment: str) -> bool:
    return (
        cloud in (None, install.cloud)
        and install.is_in(scope.region)
        and compartment in ("", install.account)
        and scope.cluster.name in (None, install.cluster, install.cluster_name)
    )
