"""Install: which installation this is, how its objects are named and found again.

An install is one cloud's operator in one namespace of one cluster. Its id is a
fixed function of that, so any machine computes it again, with the cluster dead
too. Its locator is written on every created object, in whatever the platform
offers (tags, labels, annotations).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

LOCATOR_VERSION = "1"
MANAGED_BY = "anyscale-k8s-cli"
MARK_PREFIX = "anyscale-k8s"


@dataclass(frozen=True)
class Install:
    """`cluster` is the cluster's own resource name (an ARN, a path, a UID); empty where
    something is registered before anybody has said which cluster it is for.

    `cluster_uid` is the UID of the namespace `kube-system`; empty when it is not
    known (yet). It is not part of the id: a cluster rebuilt under its old name
    keeps the id and changes the UID.
    """

    provider: str
    account: str
    region: str
    cluster: str
    namespace: str
    cloud: str
    cluster_uid: str = ""
    name_prefix: str = "anyscale"

    @property
    def id(self) -> str:
        parts = (self.provider, self.account, self.cluster, self.namespace, self.cloud)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]

    @property
    def cluster_name(self) -> str:
        """The cluster as people call it: the end of its resource name."""
        return self.cluster.rpartition("/")[2]

    def is_in(self, place: str | None) -> bool:
        """Whether the cluster is in a region, or in the zone that its resource name has.

        None is anywhere.
        """
        return place in (None, self.region) or place in self.cluster.split("/")

    @property
    def resource_name(self) -> str:
        """The name of our resource in the control plane's record."""
        return f"{self.provider}-{self.id}"

    @property
    def unplaced(self) -> Install:
        """The same where nobody has said which cluster it is on: known by its names alone."""
        return replace(self, account="", cluster="", cluster_uid="")

    @property
    def registration_names(self) -> tuple[str, ...]:
        """What its resource may be called: one that was registered without a cluster keeps
        the name that it got then."""
        return (self.resource_name, self.unplaced.resource_name)

    @property
    def mark(self) -> str:
        """The key that says, on a shared object, that this install uses it."""
        return f"{MARK_PREFIX}/user-{self.id}"

    def name(self, *, limit: int, suffix: str = "") -> str:
        """`<prefix>-<cloud>-<id><suffix>` in lower case, letters, digits and dashes.

        Where that is longer than `limit`, a hash stands for the cloud's name:
        a cut would let two clouds meet.
        """
        cloud = re.sub(r"[^a-z0-9]+", "-", self.cloud.lower()).strip("-")
        full = f"{self.name_prefix}-{cloud}-{self.id}{suffix}"
        if len(full) <= limit:
            return full
        short = hashlib.sha256(self.cloud.encode()).hexdigest()[:8]
        hashed = f"{self.name_prefix}-{short}-{self.id}{suffix}"
        if len(hashed) > limit:
            raise ValueError(f"no room for a name in {limit} characters: {hashed}")
        return hashed

    def locator(self) -> dict[str, str]:
        """The locator as pairs whose keys begin with `anyscale-k8s/`."""
        pairs = {
            "format": LOCATOR_VERSION,
            "managed-by": MANAGED_BY,
            "provider": self.provider,
            "account": self.account,
            "region": self.region,
            "cluster": self.cluster,
            "namespace": self.namespace,
            "cloud": self.cloud,
            "install": self.id,
            "name-prefix": self.name_prefix,
            "cluster-uid": self.cluster_uid,
        }
        return {f"{MARK_PREFIX}/{key}": value for key, value in pairs.items()}

    def forgetting_cluster(self) -> Install:
        """The same install with no cluster UID: what stays on an object that is kept."""
        return replace(self, cluster_uid="")

    @classmethod
    def from_locator(cls, pairs: Mapping[str, str]) -> Install | None:
        """Read a locator; None when the pairs hold none of ours or a newer format."""

        def get(key: str) -> str:
            return pairs.get(f"{MARK_PREFIX}/{key}", "")

        if get("managed-by") != MANAGED_BY or get("format") != LOCATOR_VERSION:
            return None
        install = cls(
            provider=get("provider"),
            account=get("account"),
            region=get("region"),
            cluster=get("cluster"),
            namespace=get("namespace"),
            cloud=get("cloud"),
            cluster_uid=get("cluster-uid"),
            name_prefix=get("name-prefix"),
        )
        # A locator whose id does not follow from its parts was edited or copied.
        return install if install.id == get("install") else None


def marks(pairs: Mapping[str, str]) -> frozenset[str]:
    """The user marks among an object's tags or annotations."""
    return frozenset(key for key in pairs if key.startswith(f"{MARK_PREFIX}/user-"))


def lower_case_labels(install: Install, where: Mapping[str, str]) -> dict[str, str]:
    """The locator as labels `anyscale-k8s-…`, where those take neither slashes nor capitals.

    `where` says in the platform's own words which cluster it is. Capitals of a cloud's
    name have a label beside it.
    """
    pairs = {
        "format": LOCATOR_VERSION,
        "managed-by": MANAGED_BY,
        "install": install.id,
        **where,
        "namespace": install.namespace,
        "cloud": install.cloud.lower(),
        "cloud-capitals": _capitals(install.cloud),
        "name-prefix": install.name_prefix,
        "cluster-uid": install.cluster_uid,
    }
    return {f"{MARK_PREFIX}-{key}": value for key, value in pairs.items() if value}


def read_lower_case_labels(found: Mapping[str, str]) -> dict[str, str] | None:
    """What such labels say, without their prefix; None when they are not ours.

    The caller makes an install of it and compares its id with that under `install`: what
    was edited or copied counts for nothing.
    """
    prefix = f"{MARK_PREFIX}-"
    said = {
        key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)
    }
    if said.get("managed-by") != MANAGED_BY or said.get("format") != LOCATOR_VERSION:
        return None
    said["cloud"] = _capitalised(said.get("cloud", ""), said.get("cloud-capitals", ""))
    return said


def platform_told(resource_name: str) -> str:
    """The platform in the name of a resource of ours; of another's, whatever stands there."""
    return resource_name.rpartition("-")[0]


def has_labels_of(found: Mapping[str, str], install: Install) -> bool:
    """Whether such labels are of this install, also where some of them were changed by hand."""
    return (
        found.get(f"{MARK_PREFIX}-managed-by") == MANAGED_BY
        and found.get(f"{MARK_PREFIX}-install") == install.id
    )


def _capitals(name: str) -> str:
    """Which letters of a name are capitals, as the bits of a number; empty if none is."""
    bits = sum(1 << place for place, letter in enumerate(name) if letter.isupper())
    return f"{bits:x}" if bits else ""


def _capitalised(name: str, capitals: str) -> str:
    try:
        bits = int(capitals or "0", 16)
    except ValueError:
        return name
    return "".join(
        letter.upper() if bits >> place & 1 else letter for place, letter in enumerate(name)
    )
