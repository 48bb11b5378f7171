"""Labels that we write, and what they say when we read them.

Everything of Nebius' takes labels. Names of clusters are unique in a project, and so a
cluster that is rebuilt under its old name is found again: its path takes the place of an id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from anyscale_k8s_cli.install import (
    MARK_PREFIX,
    Install,
    has_labels_of,
    lower_case_labels,
    read_lower_case_labels,
)
from anyscale_k8s_cli.resource import NO_TAGS, FieldChange, differences, with_pairs

LABEL_KEY = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_.-]{0,63}")
UID_LABEL = f"{MARK_PREFIX}-cluster-uid"
# A resource takes 64 labels, and ours are ten.
MOST_OF_USERS = 54


def cluster_path(project: str, name: str) -> str:
    return f"projects/{project}/clusters/{name}"


@dataclass(frozen=True)
class Labels:
    """What each of our objects carries; `dropped` was written before and is not wanted now."""

    wanted: Mapping[str, str]
    dropped: Mapping[str, str]

    def differ(self, found: Mapping[str, str]) -> list[FieldChange]:
        return differences("label", found, self.wanted, self.dropped)

    def on(self, found: Mapping[str, str]) -> dict[str, str]:
        """Those that are there, with ours in them."""
        return with_pairs(found, self.wanted, self.dropped)


# For what is only read and removed.
NO_LABELS = Labels(NO_TAGS, NO_TAGS)


def labels(
    install: Install, users: Mapping[str, str], dropped: Mapping[str, str] = NO_TAGS
) -> Labels:
    """What is to be on our objects."""
    where = {
        "project": install.account,
        "region": install.region,
        "cluster": install.cluster_name,
    }
    return Labels({**users, **lower_case_labels(install, where)}, dropped)


def owner(found: Mapping[str, str], install: Install) -> Install | None:
    """Whose an object is, looked at on behalf of an install."""
    if has_labels_of(found, install):
        return replace(install, cluster_uid=found.get(UID_LABEL, ""))
    return owner_by_labels(found)


def owner_by_labels(found: Mapping[str, str]) -> Install | None:
    """The install that labels tell of; None when they are not ours."""
    said = read_lower_case_labels(found)
    if said is None:
        return None
    project = said.get("project", "")
    install = Install(
        provider="nebius",
        account=project,
        region=said.get("region", ""),
        cluster=cluster_path(project, said.get("cluster", "")),
        namespace=said.get("namespace", ""),
        cloud=said["cloud"],
        cluster_uid=said.get("cluster-uid", ""),
        name_prefix=said.get("name-prefix", ""),
    )
    return install if install.id == said.get("install") else None


def without_uid(found: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in found.items() if key != UID_LABEL}
