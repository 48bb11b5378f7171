"""Labels and descriptions that we write, and what they say when we read them.

Labels take lower case alone and no slash (https://cloud.google.com/resource-manager/docs/labels-overview),
service accounts have no labels but a description. So the locator has a form for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from anyscale_k8s_cli.install import (
    LOCATOR_VERSION,
    MARK_PREFIX,
    Install,
    has_labels_of,
    lower_case_labels,
    read_lower_case_labels,
)
from anyscale_k8s_cli.providers.gcs.bucket import UID_LABEL
from anyscale_k8s_cli.providers.gke.sdk.container import region_of

_LONGEST_DESCRIPTION = 256
# Positions instead of names: so that the longest of all names fit.
_DESCRIPTION = re.compile(
    rf"{MARK_PREFIX}/{LOCATOR_VERSION} (\S+) (\S+) ([^/\s]+)/(\S+) (\S+) (\S+)(?: (\S+))?"
)
_PATH = re.compile(r"projects/([^/]+)/locations/([^/]+)/clusters/([^/]+)")


def cluster_parts(path: str) -> tuple[str, str, str]:
    """Project, location and name in a cluster's path. Raises ValueError."""
    found = _PATH.fullmatch(path)
    if found is None:
        raise ValueError(f"not the path of a cluster: {path!r}")
    return found[1], found[2], found[3]


def labels(install: Install, users: Mapping[str, str]) -> dict[str, str]:
    """What our bucket carries."""
    _, location, cluster = cluster_parts(install.cluster)
    return {**users, **lower_case_labels(install, {"location": location, "cluster": cluster})}


def owner_by_labels(found: Mapping[str, str], project: str) -> Install | None:
    """The install that labels tell of; None when they are not ours."""
    said = read_lower_case_labels(found)
    if said is None:
        return None
    install = _install(
        project,
        location=said.get("location", ""),
        cluster=said.get("cluster", ""),
        namespace=said.get("namespace", ""),
        cloud=said["cloud"],
        prefix=said.get("name-prefix", ""),
        uid=said.get("cluster-uid", ""),
    )
    return install if install.id == said.get("install") else None


def owner(found: Mapping[str, str], install: Install) -> Install | None:
    """Whose a bucket is, looked at on behalf of an install."""
    if has_labels_of(found, install):
        return replace(install, cluster_uid=found.get(UID_LABEL, ""))
    return owner_by_labels(found, install.account)


def description(install: Install) -> str:
    """The locator as the description of a service account."""
    _, location, cluster = cluster_parts(install.cluster)
    text = (
        f"{MARK_PREFIX}/{LOCATOR_VERSION} {install.id} {install.name_prefix} "
        f"{location}/{cluster} {install.namespace} {install.cloud}"
    )
    whole = f"{text} {install.cluster_uid}" if install.cluster_uid else text
    # Only the longest of all names leave no room for the UID.
    return whole if len(whole) <= _LONGEST_DESCRIPTION else text


def owner_by_description(text: str, project: str) -> Install | None:
    """The install that a description tells of; None when it is not ours."""
    found = _DESCRIPTION.fullmatch(text)
    if found is None:
        return None
    install_id, prefix, location, cluster, namespace, cloud, uid = found.groups()
    install = _install(
        project,
        location=location,
        cluster=cluster,
        namespace=namespace,
        cloud=cloud,
        prefix=prefix,
        uid=uid or "",
    )
    # A locator whose id does not follow from its parts was edited or copied.
    return install if install.id == install_id else None


def _install(
    project: str, *, location: str, cluster: str, namespace: str, cloud: str, prefix: str, uid: str
) -> Install:
    return Install(
        provider="gke",
        account=project,
        region=region_of(location),
        cluster=f"projects/{project}/locations/{location}/clusters/{cluster}",
        namespace=namespace,
        cloud=cloud,
        cluster_uid=uid,
        name_prefix=prefix,
    )
