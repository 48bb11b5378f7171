"""A storage account that is there, and where it is: by its name, its address or a container's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

# https://learn.microsoft.com/azure/storage/common/storage-account-overview
NAME = re.compile(r"[a-z0-9]{3,24}")
# https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_PUBLIC = "core.windows.net"
_URL = re.compile(r"abfss://(?P<container>[^@/]+)@(?P<account>[a-z0-9]+)\.dfs\.(?P<suffix>[^/]+)/?")
_HOST = re.compile(r"(?P<account>[a-z0-9]+)\.blob\.(?P<suffix>.+)")


@dataclass(frozen=True)
class Account:
    """`endpoint` is where its blobs are, with no slash at its end; `suffix` ends its names."""

    name: str
    endpoint: str
    suffix: str = _PUBLIC

    def url(self, container: str) -> str:
        """As the control plane and Ray name a container."""
        return f"abfss://{container}@{self.name}.dfs.{self.suffix}"


def account_of(given: str) -> Account | None:
    """By what a user calls an account: a name in the public cloud, or where its blobs are.

    An address without host names of accounts has the name in its path.
    """
    if NAME.fullmatch(given):
        return Account(given, f"https://{given}.blob.{_PUBLIC}")
    parts = urlsplit(given)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query:
        return None
    endpoint = given.rstrip("/")
    host, path = _HOST.fullmatch(parts.hostname), parts.path.strip("/")
    if host is not None and not path:
        return Account(host["account"], endpoint, host["suffix"])
    return Account(path, endpoint) if NAME.fullmatch(path) else None


def place_of(given: str) -> tuple[str, Account | None]:
    """The container and its account in what a user calls a bucket: `abfss://…`,
    `ACCOUNT/CONTAINER`, or the container's name alone.

    The container's name is empty where it is none of these.
    """
    name, _, container = given.rpartition("/")
    if NAME.fullmatch(name) and CONTAINER.fullmatch(container):
        return container, account_of(name)
    found = _URL.fullmatch(given)
    if found is not None and CONTAINER.fullmatch(found["container"]):
        name, suffix = found["account"], found["suffix"]
        return found["container"], Account(name, f"https://{name}.blob.{suffix}", suffix)
    return (given if CONTAINER.fullmatch(given) else ""), None
