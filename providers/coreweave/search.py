"""Finding installs with no ledger and no cluster: by the attributes of access keys, and by
policies for pods that have none."""

from __future__ import annotations

from collections.abc import Iterator

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import Looking, Search
from anyscale_k8s_cli.providers.coreweave import federation, policy, tags
from anyscale_k8s_cli.providers.coreweave.coreweave import CoreWeave
from anyscale_k8s_cli.providers.coreweave.sdk.storage import Policy
from anyscale_k8s_cli.spec import Scope


def search(coreweave: CoreWeave, scope: Scope, cloud: str | None) -> Search:
    """Installs by keys that carry our locator, and by policies that name our pods."""
    looking = Looking()
    found = looking.at(
        "access keys of AI Object Storage",
        lambda: [tags.owner(item.attributes) for item in coreweave.storage.access_keys()],
    )
    found += looking.at(
        "access policies of the organisation",
        lambda: list(_without_keys(coreweave, scope, cloud)),
    )
    installs = {
        install.id: install
        for install in found
        if install is not None and _fits(install, scope, cloud)
    }
    return Search(tuple(installs.values()), tuple(looking.searched), tuple(looking.unsearched))


def _without_keys(
    coreweave: CoreWeave, scope: Scope, cloud: str | None
) -> Iterator[Install | None]:
    """What a policy can be of: it carries an id, which follows from cluster, namespace and cloud.

    The namespace is in the role of the pods, the cloud in the policy's name where nobody says
    it. The cluster is one that there is, or the one that was said.
    """
    policies = coreweave.storage.policies()
    namespaces = {item.name: namespace for item in policies if (namespace := _namespace(item))}
    if not namespaces:
        return
    organisation = coreweave.caller.organisation
    places = {(item.zone.lower(), item.name) for item in coreweave.clusters.all()}
    if scope.region and scope.cluster.name:
        places.add((scope.region.lower(), scope.cluster.name))
    for item in policies:
        if item.name not in namespaces:
            continue
        for zone, cluster in places:
            for prefix, name in _clouds(item.name, cloud):
                install = Install(
                    provider="coreweave",
                    account=organisation,
                    region=zone,
                    cluster=tags.cluster_path(organisation, zone, cluster),
                    namespace=namespaces[item.name],
                    cloud=name,
                    name_prefix=prefix,
                )
                if policy.is_ours(item, install):
                    yield install


def _namespace(found: Policy) -> str:
    names = (
        federation.namespace_of(principal)
        for statement in found.statements
        for principal in statement.principals
    )
    return next(filter(None, names), "")


def _clouds(name: str, cloud: str | None) -> Iterator[tuple[str, str]]:
    """Prefix and cloud as a policy's usual name may have them: each dash may be between them."""
    parts = name.split("-")[:-1]
    splits = [("-".join(parts[:at]), "-".join(parts[at:])) for at in range(1, len(parts))]
    if cloud is None:
        yield from splits
        return
    said = [prefix for prefix, of in splits if of == cloud.lower()]
    yield (said[0] if said else Install.name_prefix, cloud)


def _fits(install: Install, scope: Scope, cloud: str | None) -> bool:
    region = scope.region.lower() if scope.region else None
    return (
        cloud in (None, install.cloud)
        and install.is_in(region)
        and scope.cluster.name in (None, install.cluster, install.cluster_name)
    )
