"""Where Nebius' APIs are and whose credentials are used, as this machine's settings say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nebius.aio.cli_config import Config, NoParentIdError
from nebius.base.error import SDKError
from nebius.base.options import INSECURE
from nebius.base.resolver import Constant
from nebius.sdk import SDK

from anyscale_k8s_cli import errors, tool_version
from anyscale_k8s_cli.errors import CloudFailure

# Those of Nebius' command line and SDKs; the second is of key files as the command line
# writes them, for which it has no variable.
TOKEN = "NEBIUS_IAM_TOKEN"  # noqa: S105 - a variable's name
KEY_FILE = "NEBIUS_CREDENTIALS_FILE"
ENDPOINT = "NEBIUS_ENDPOINT"
STORAGE_ENDPOINT = "NEBIUS_STORAGE_ENDPOINT"
PROJECT = "NEBIUS_PROJECT_ID"
_CONFIG = Path("~/.nebius/config.yaml")
_LOGIN = (
    "nebius profile create, or export NEBIUS_IAM_TOKEN=$(nebius iam get-access-token), "
    f"or name a service account's key file in {KEY_FILE}"
)


@dataclass(frozen=True)
class Whereabouts:
    """Read when they are asked for. Variables win over the profile of the command line."""

    def sdk(self) -> SDK:
        """The SDK with credentials. Raises `cloud-credentials-missing`, `invalid-spec`."""
        place = _place(os.environ.get(ENDPOINT, ""))
        agent = f"anyscale-k8s-cli/{tool_version()}"
        try:
            if token := os.environ.get(TOKEN):
                return SDK(credentials=token, user_agent_prefix=agent, **place)
            if file := os.environ.get(KEY_FILE):
                return SDK(credentials_file_name=file, user_agent_prefix=agent, **place)
            return SDK(config_reader=self._profile, user_agent_prefix=agent, **place)
        except (SDKError, OSError, ValueError, KeyError) as problem:
            raise CloudFailure(
                errors.CLOUD_CREDENTIALS_MISSING,
                "There are no usable Nebius credentials",
                _told(problem),
                fix=_LOGIN,
            ) from problem

    @property
    def project(self) -> str:
        """The project that variables or the profile name; empty if none."""
        if given := os.environ.get(PROJECT):
            return given
        try:
            return self._profile.parent_id
        except (NoParentIdError, SDKError, OSError):
            return ""

    @cached_property
    def _profile(self) -> Config:
        return Config(config_file=_CONFIG, endpoint=os.environ.get(ENDPOINT) or None)

    @staticmethod
    def storage_endpoint(region: str) -> str:
        """Where a region's object store answers S3 calls.

        https://docs.nebius.com/object-storage/overview
        """
        given = os.environ.get(STORAGE_ENDPOINT, "").rstrip("/")
        return given or f"https://storage.{region}.nebius.cloud"


def _place(endpoint: str) -> dict[str, Any]:
    """The SDK's settings for an endpoint: nothing is said where it is the usual one.

    Nebius means a domain below which each service has its own name; an address with
    `http://`, for stand-ins on this machine, is one place for all of them.
    """
    if not endpoint:
        return {}
    url = urlsplit(endpoint)
    if url.scheme != "http":
        return {"domain": endpoint.removeprefix("https://").rstrip("/")}
    if not _is_loopback(url.hostname or ""):
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"{ENDPOINT}: {endpoint} would send your token unencrypted",
            fix="give a domain such as api.nebius.cloud:443; http:// is for this machine alone",
        )
    return {"resolver": Constant(url.netloc), "options": [(INSECURE, True)]}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _told(problem: BaseException) -> str:
    """What is wrong, without what is in a file."""
    if isinstance(problem, KeyError | ValueError):
        return f"the key file in {KEY_FILE} is not one of a service account"
    return str(problem)
