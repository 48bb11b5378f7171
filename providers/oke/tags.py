"""Free-form tags that we write, and what they say when we read them.

A resource takes ten, so the locator is packed into five and half of them are left to the
user. https://docs.oracle.com/iaas/Content/Tagging/Concepts/taggingoverview.htm
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from anyscale_k8s_cli.install import LOCATOR_VERSION, MANAGED_BY, MARK_PREFIX, Install
from anyscale_k8s_cli.resource import NO_TAGS, FieldChange, differences, with_pairs

MANAGED_TAG = f"{MARK_PREFIX}-managed-by"
INSTALL_TAG = f"{MARK_PREFIX}-install"
CLUSTER_TAG = f"{MARK_PREFIX}-cluster"
CLOUD_TAG = f"{MARK_PREFIX}-cloud"
UID_TAG = f"{MARK_PREFIX}-cluster-uid"
MOST_OF_USERS = 5
KEY_LIMIT, VALUE_LIMIT = 100, 256


def cluster_path(compartment: str, name: str) -> str:
    """What a cluster is called in installs: one that is rebuilt under its name has the same."""
    return f"compartments/{compartment}/clusters/{name}"


@dataclass(frozen=True)
class Tags:
    """What is to be on our objects; `dropped` is what an earlier setup wrote besides."""

    wanted: Mapping[str, str]
    dropped: Mapping[str, str]

    def differ(self, found: Mapping[str, str]) -> list[FieldChange]:
        return differences("tag", found, self.wanted, self.dropped)

    def on(self, found: Mapping[str, str]) -> dict[str, str]:
        """Those that are there, with ours in them."""
        return with_pairs(found, self.wanted, self.dropped)


# For what is only read and removed.
NONE = Tags(NO_TAGS, NO_TAGS)


def tags(install: Install, users: Mapping[str, str], dropped: Mapping[str, str] = NO_TAGS) -> Tags:
    """What is to be on our objects."""
    own = {
        MANAGED_TAG: MANAGED_BY,
        INSTALL_TAG: f"{LOCATOR_VERSION} {install.id} {install.namespace} {install.name_prefix}",
        CLUSTER_TAG: f"{install.region} {install.account} {install.cluster_name}",
        CLOUD_TAG: install.cloud,
        UID_TAG: install.cluster_uid,
    }
    return Tags({**users, **{key: value for key, value in own.items() if value}}, dropped)


def belongs_to(found: Mapping[str, str], install: Install) -> bool:
    """Whether tags are of this install, also where some of them were changed by hand."""
    said = found.get(INSTALL_TAG, "").split(" ")
    return found.get(MANAGED_TAG) == MANAGED_BY and said[1:2] == [install.id]


def owner(found: Mapping[str, str], install: Install) -> Install | None:
    """Whose an object is, looked at on behalf of an install."""
    if belongs_to(found, install):
        return replace(install, cluster_uid=found.get(UID_TAG, ""))
    return owner_by_tags(found)


def owner_by_tags(found: Mapping[str, str]) -> Install | None:
    """The install that tags tell of; None when they are not ours."""
    said = found.get(INSTALL_TAG, "").split(" ")
    where = found.get(CLUSTER_TAG, "").split(" ", 2)
    if found.get(MANAGED_TAG) != MANAGED_BY or len(said) != 4 or len(where) != 3:
        return None
    version, install_id, namespace, prefix = said
    region, compartment, cluster = where
    install = Install(
        provider="oke",
        account=compartment,
        region=region,
        cluster=cluster_path(compartment, cluster),
        namespace=namespace,
        cloud=found.get(CLOUD_TAG, ""),
        cluster_uid=found.get(UID_TAG, ""),
        name_prefix=prefix,
    )
    return install if version == LOCATOR_VERSION and install.id == install_id else None


def without_uid(found: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in found.items() if key != UID_TAG}
