"""Where CoreWeave's APIs are and whose token is used, as this machine's variables say.

The variables are those of CoreWeave's Terraform provider.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.parse import urlsplit

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure

TOKEN = "COREWEAVE_API_TOKEN"  # noqa: S105 - a variable's name
ENDPOINT = "COREWEAVE_API_ENDPOINT"
S3_ENDPOINT = "COREWEAVE_S3_ENDPOINT"
_API = "https://api.coreweave.com"
# The caching address inside CoreWeave (LOTA) is not for browsers nor the control plane.
_S3 = "https://cwobject.com"


def token() -> str:
    """Raises `cloud-credentials-missing`."""
    found = os.environ.get(TOKEN, "").strip()
    if not found:
        raise CloudFailure(
            errors.CLOUD_CREDENTIALS_MISSING,
            "There is no CoreWeave API token",
            f"{TOKEN} is not set",
            fix=f"create a token in CoreWeave's console and set {TOKEN} to it",
        )
    return found


def api() -> str:
    """The API's origin. Raises `invalid-spec` for one that would send the token unencrypted."""
    found = os.environ.get(ENDPOINT, "").rstrip("/") or _API
    url = urlsplit(found)
    if url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname or "")):
        return found
    raise errors.CliError(
        errors.INVALID_SPEC,
        f"{ENDPOINT}: {found} would send your token unencrypted",
        fix="give an address with https://; http:// is for this machine alone",
    )


def exchange(organisation: str) -> str:
    """Where pods of an organisation's clusters get keys for tokens of their own.

    https://docs.coreweave.com/products/storage/object-storage/auth-access/workload-identity-federation/use-oidc-tokens
    """
    return f"{api()}/v1/cwobject/temporary-credentials/oidc/{organisation}"


def store() -> str:
    """Where AI Object Storage answers S3 calls."""
    return os.environ.get(S3_ENDPOINT, "").rstrip("/") or _S3


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
