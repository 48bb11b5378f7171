"""Where Oracle's services are and whose credentials are used, as this machine's settings say."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import oci.auth.signers
import oci.config
import oci.exceptions
import oci.regions
import oci.signer
from oci.signer import AbstractBaseSigner

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure

# Ours: an address for all services, with `{region}` in it; and one for the S3 calls.
ENDPOINT = "OCI_ENDPOINT"
S3_ENDPOINT = "OCI_S3_ENDPOINT"
COMPARTMENT = "OCI_COMPARTMENT_ID"
# Those of the SDK and of Oracle's command line; the latter win, as they do there.
_FILES = ("OCI_CLI_CONFIG_FILE", "OCI_CONFIG_FILE")
_PROFILES = ("OCI_CLI_PROFILE", "OCI_CONFIG_PROFILE")
_AUTH = "OCI_CLI_AUTH"
_FIELDS: Mapping[str, str] = {
    "user": "OCI_CLI_USER",
    "tenancy": "OCI_CLI_TENANCY",
    "fingerprint": "OCI_CLI_FINGERPRINT",
    "key_file": "OCI_CLI_KEY_FILE",
    "key_content": "OCI_CLI_KEY_CONTENT",
    "region": "OCI_CLI_REGION",
}
_USUAL_FILE = "~/.oci/config"
_LOGIN = (
    "oci setup config, or name a file in OCI_CONFIG_FILE and a profile in OCI_CONFIG_PROFILE, "
    "or set OCI_CLI_AUTH=instance_principal on a machine of Oracle's"
)


@dataclass(frozen=True)
class Who:
    """Whoever signs. `user` is empty for a machine or a pod.

    `config` is what the SDK wants to see beside the signer.
    """

    signer: AbstractBaseSigner
    tenancy: str
    user: str
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Whereabouts:
    """Read when they are asked for. Variables win over the profile."""

    @cached_property
    def who(self) -> Who:
        """Raises `cloud-credentials-missing`."""
        try:
            return self._who()
        except (oci.exceptions.ClientError, OSError, ValueError, KeyError) as problem:
            raise CloudFailure(
                errors.CLOUD_CREDENTIALS_MISSING,
                "There are no usable credentials for Oracle Cloud",
                " ".join(str(problem).split()),
                fix=_LOGIN,
            ) from problem

    def _who(self) -> Who:
        method = os.environ.get(_AUTH, "api_key")
        if method == "instance_principal":
            machine = oci.auth.signers.InstancePrincipalsSecurityTokenSigner()
            return Who(machine, str(machine.tenancy_id), "")
        if method == "resource_principal":
            pod = oci.auth.signers.get_resource_principals_signer()
            return Who(pod, str(pod.tenancy_id), "")
        if method != "api_key":
            raise ValueError(f"{_AUTH}={method} is not supported here")
        profile = self._profile
        # The region may be said elsewhere.
        oci.config.validate_config({"region": "any", **profile})
        signer = oci.signer.Signer.from_config(profile)
        return Who(signer, str(profile["tenancy"]), str(profile["user"]), profile)

    @property
    def region(self) -> str:
        """The region that variables or the profile name; empty if none."""
        try:
            return str(self._profile.get("region") or "")
        except (oci.exceptions.ClientError, OSError):
            return ""

    @property
    def compartment(self) -> str:
        """The compartment that a variable or the profile names; empty if none."""
        if given := os.environ.get(COMPARTMENT):
            return given
        try:
            return str(self._profile.get("compartment_id") or "")
        except (oci.exceptions.ClientError, OSError):
            return ""

    @cached_property
    def _profile(self) -> dict[str, Any]:
        said = {name: os.environ[key] for name, key in _FIELDS.items() if os.environ.get(key)}
        complete = {"user", "tenancy", "fingerprint"} <= set(said)
        file = next((os.environ[name] for name in _FILES if os.environ.get(name)), _USUAL_FILE)
        profile = next((os.environ[name] for name in _PROFILES if os.environ.get(name)), "DEFAULT")
        if complete and not os.path.exists(os.path.expanduser(file)):
            return said
        return {**oci.config.from_file(file, profile), **said}

    # -- addresses --------------------------------------------------------------------

    def endpoint(self, region: str) -> str:
        """The address of all services of a region; empty where each has its usual one.

        Raises `invalid-spec` for one that would send secrets unencrypted.
        """
        return _safe(ENDPOINT, os.environ.get(ENDPOINT, "").replace("{region}", region))

    def token_endpoint(self, region: str) -> str:
        """Where a cluster's token must point to."""
        return self.endpoint(region) or f"https://containerengine.{region}.{_domain(region)}"

    def s3_endpoint(self, region: str, namespace: str) -> str:
        """Where a region's object store answers S3 calls, with buckets in paths.

        https://docs.oracle.com/iaas/Content/Object/Tasks/s3compatibleapi.htm
        """
        if given := _safe(S3_ENDPOINT, os.environ.get(S3_ENDPOINT, "")):
            return given.replace("{region}", region)
        return f"https://{namespace}.compat.objectstorage.{region}.{_domain(region)}"


def _domain(region: str) -> str:
    """The realm's, which a region belongs to."""
    found = oci.regions.get_realm_from_region(region)
    return str(oci.regions.REALMS[found])


def _safe(variable: str, given: str) -> str:
    url = urlsplit(given)
    if url.scheme == "http" and not _is_loopback(url.hostname or ""):
        raise errors.CliError(
            errors.INVALID_SPEC,
            f"{variable}: {given} would send secrets unencrypted",
            fix="give an address with https://; http:// is for this machine alone",
        )
    return given.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
