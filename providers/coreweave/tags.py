"""Attributes of access keys, and what they say when we read them.

Keys are all of CoreWeave's that take any. Names of clusters are unique in a zone, and so a
cluster that is rebuilt under its old name is found again: its path takes the place of an id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from anyscale_k8s_cli.install import Install, lower_case_labels, read_lower_case_labels

# https://docs.coreweave.com/platform/terraform/resources/object_storage_access_key
KEY = re.compile(r"(?!cw-|role|groups)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
NAME = "name"
# A key takes 15, and ours are up to twelve with the name.
MOST_OF_USERS = 3
_NAME_LIMIT = 63


def cluster_path(organisation: str, zone: str, name: str) -> str:
    return f"organisations/{organisation}/zones/{zone.lower()}/clusters/{name}"


def key_name(install: Install) -> str:
    return install.name(limit=_NAME_LIMIT)


def attributes(install: Install, users: Mapping[str, str]) -> dict[str, str]:
    """What each of our keys carries."""
    where = {
        "organisation": install.account,
        "zone": install.region,
        "cluster": install.cluster_name,
    }
    return {**users, NAME: key_name(install), **lower_case_labels(install, where)}


def owner(found: Mapping[str, str]) -> Install | None:
    """The install that attributes tell of; None when they are not ours."""
    said = read_lower_case_labels(found)
    if said is None:
        return None
    organisation, zone = said.get("organisation", ""), said.get("zone", "")
    install = Install(
        provider="coreweave",
        account=organisation,
        region=zone,
        cluster=cluster_path(organisation, zone, said.get("cluster", "")),
        namespace=said.get("namespace", ""),
        cloud=said["cloud"],
        cluster_uid=said.get("cluster-uid", ""),
        name_prefix=said.get("name-prefix", ""),
    )
    return install if install.id == said.get("install") else None
