"""Tags that we write, and what they say when we read them.

The names of tags have no slash, and values end at 256 characters, which a
cluster's id can exceed (https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources).
So the locator is in parts. What has no tags, a role assignment, has a description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from anyscale_k8s_cli.install import LOCATOR_VERSION, MANAGED_BY, MARK_PREFIX, Install

# Of storage accounts, whose names of tags are the shortest; some beginnings are Azure's own.
TAG_NAME = re.compile(
    rf"(?!microsoft|azure|windows|{MARK_PREFIX}-)[^<>%&\\?/\x00-\x1f]{{1,128}}", re.IGNORECASE
)
MOST_TAGS = 50
MOST_OF_USERS = MOST_TAGS - 10
UID_TAG = f"{MARK_PREFIX}-cluster-uid"
_ID = re.compile(
    r"/subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/"
    r"microsoft\.containerservice/managedclusters/([^/]+)"
)


def cluster_id(subscription: str, group: str, name: str) -> str:
    """The id of a cluster, in lower case as all of Azure's ids are kept here."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/"
        f"Microsoft.ContainerService/managedClusters/{name}"
    ).lower()


def cluster_parts(cluster: str) -> tuple[str, str, str]:
    """Subscription, resource group and name in a cluster's id. Raises ValueError."""
    found = _ID.fullmatch(cluster)
    if found is None:
        raise ValueError(f"not the id of a cluster: {cluster!r}")
    return found[1], found[2], found[3]


def group_of(install: Install) -> str:
    """The resource group of the install's cluster, where its own objects are too."""
    return cluster_parts(install.cluster)[1]


def own(install: Install, users: Mapping[str, str]) -> dict[str, str]:
    """What everything of ours carries that can have tags."""
    _, group, cluster = cluster_parts(install.cluster)
    pairs = {
        "format": LOCATOR_VERSION,
        "managed-by": MANAGED_BY,
        "install": install.id,
        "region": install.region,
        "resource-group": group,
        "cluster": cluster,
        "namespace": install.namespace,
        "cloud": install.cloud,
        "name-prefix": install.name_prefix,
        "cluster-uid": install.cluster_uid,
    }
    ours = {f"{MARK_PREFIX}-{key}": value for key, value in pairs.items() if value}
    return {**users, **ours}


def owner(found: Mapping[str, str], subscription: str) -> Install | None:
    """The install that tags tell of; None when they are not ours."""
    # The names of tags have no case, and some services change it.
    folded = {name.lower(): value for name, value in found.items()}

    def get(key: str) -> str:
        return folded.get(f"{MARK_PREFIX}-{key}", "")

    if get("managed-by") != MANAGED_BY or get("format") != LOCATOR_VERSION:
        return None
    install = Install(
        provider="aks",
        account=subscription,
        region=get("region"),
        cluster=cluster_id(subscription, get("resource-group"), get("cluster")),
        namespace=get("namespace"),
        cloud=get("cloud"),
        cluster_uid=get("cluster-uid"),
        name_prefix=get("name-prefix"),
    )
    # A locator whose id does not follow from its parts was edited or copied.
    return install if install.id == get("install") else None


def without_cluster(found: Mapping[str, str]) -> dict[str, str]:
    """The same tags but for the cluster's UID: for what is kept."""
    return {name: value for name, value in found.items() if name.lower() != UID_TAG}


def description(install: Install) -> str:
    """What a role assignment of ours says of itself."""
    return f"{MARK_PREFIX}/{LOCATOR_VERSION} {install.id}"
