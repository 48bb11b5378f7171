"""The tags that we write, and what they say when we read them."""

from __future__ import annotations

from collections.abc import Mapping

from anyscale_k8s_cli.install import MANAGED_BY, MARK_PREFIX, Install

MANAGED_BY_TAG = f"{MARK_PREFIX}/managed-by"
INSTALL_TAG = f"{MARK_PREFIX}/install"
CLUSTER_UID_TAG = f"{MARK_PREFIX}/cluster-uid"
CLOUD_TAG = f"{MARK_PREFIX}/cloud"


def own(install: Install, user_tags: Mapping[str, str]) -> dict[str, str]:
    """What an object of this install carries: its locator, and the user's tags.

    An empty part of the locator (a UID that is not known) is no tag at all: so a
    run that does not know it leaves the one that is there.
    """
    locator = {key: value for key, value in install.locator().items() if value}
    return {**user_tags, **locator}


def shared(install: Install, user_tags: Mapping[str, str]) -> dict[str, str]:
    """What an object that serves several installs carries when we make it."""
    return {**user_tags, MANAGED_BY_TAG: MANAGED_BY, install.mark: install.cloud}
