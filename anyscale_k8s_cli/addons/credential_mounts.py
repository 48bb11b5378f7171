"""How each kind of credentials gets to the operator and its pods, and what the chart must know.

One mount for each class of `credential_kinds.py`, in one table. A kind that is new needs
its class there, its mount here, and nothing else in the core: Secret, restarts, status and
deletion are the same for all (`storage_credentials.py`).
"""

from __future__ import annotations

import configparser
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.cluster.documents import Document
from anyscale_k8s_cli.credential_kinds import (
    PROFILE,
    AzureSecret,
    Credentials,
    EntraIdentity,
    Files,
    GoogleKey,
    GooglePool,
    S3Exchange,
    S3Keys,
    S3Role,
)
from anyscale_k8s_cli.spec import Addressing
from anyscale_k8s_cli.storage_token import PATH
from anyscale_k8s_cli.templates import load_yaml

# Where Ray, Vector and the agents stand among the containers of the chart's pods.
AGENTS = {"head": (0, 1, 2, 5), "worker": (0, 1, 2, 3)}

# How the chart shows them to Ray's pods.
_AWS_FOLDER = "/tmp/.aws"  # noqa: S108 - the chart's own place
_GOOGLE_FOLDER = "/var/secrets"
_VOLUME = "storage-credentials"

K_contra = TypeVar("K_contra", bound=Credentials, contravariant=True)


@dataclass(frozen=True)
class PodShare:
    """What a pod has to have, in the words of its manifest; `sources` are of variables."""

    volumes: tuple[Document, ...] = ()
    mounts: tuple[Document, ...] = ()
    variables: tuple[Document, ...] = ()
    sources: tuple[Document, ...] = ()

    def __add__(self, other: PodShare) -> PodShare:
        return PodShare(
            (*self.volumes, *other.volumes),
            (*self.mounts, *other.mounts),
            (*self.variables, *other.variables),
            (*self.sources, *other.sources),
        )


class Mount(Protocol[K_contra]):
    """What one kind needs."""

    def files(self, storage: Storage, credentials: K_contra) -> Files:
        """What the Secret holds."""
        ...

    def values(self, storage: Storage, credentials: K_contra) -> dict[str, Any]:
        """The chart's values; nothing secret."""
        ...

    def told(self, storage: Storage) -> str:
        """What of the Secret follows from the store: pods must be new when it is other."""
        ...

    def share(self) -> PodShare:
        """How a pod that is not the chart's finds them as Ray's pods do."""
        ...


class AwsFiles:
    """The two files of the AWS SDKs, which the chart mounts and has the SDKs find."""

    def files(self, storage: Storage, credentials: S3Keys) -> Files:
        keys = {
            "aws_access_key_id": credentials.access_key,
            "aws_secret_access_key": credentials.secret,
        }
        return {"credentials": _ini(keys), "config": client_config(storage)}

    def values(self, storage: Storage, credentials: S3Keys | S3Role | S3Exchange) -> dict[str, Any]:
        path_style = storage.addressing is Addressing.PATH
        values: dict[str, Any] = load_yaml(
            "operator/s3-values.yaml",
            {"region": storage.region, "path_style": path_style, "secret": credentials.SECRET},
        )
        if path_style:
            # The chart by itself tells the agents so on AWS alone.
            values["patches"] = patches([load_yaml("operator/path-style.yaml")])
        return values

    def told(self, storage: Storage) -> str:
        return client_config(storage)

    def share(self) -> PodShare:
        variables = {
            "AWS_SHARED_CREDENTIALS_FILE": f"{_AWS_FOLDER}/credentials",
            "AWS_CONFIG_FILE": f"{_AWS_FOLDER}/config",
            "AWS_SDK_LOAD_CONFIG": "1",
        }
        return _mounted(S3Keys.SECRET, _AWS_FOLDER, variables)


class AwsFilesOfRole(AwsFiles):
    """The same two files with a role instead of keys. The SDKs read the token by themselves."""

    def files(self, storage: Storage, credentials: S3Keys | S3Role) -> Files:
        assert isinstance(credentials, S3Role), "its own kind"  # noqa: S101
        return {"credentials": "", "config": client_config(storage, credentials)}


class AwsFilesOfExchange:
    """The config file alone, and variables for where keys are asked for, which no file can say."""

    def files(self, storage: Storage, credentials: S3Exchange) -> Files:
        return {"credentials": "", "config": client_config(storage), **credentials.variables}

    def values(self, storage: Storage, credentials: S3Exchange) -> dict[str, Any]:
        variables = from_secret(credentials.SECRET, credentials.variables)
        found: dict[str, Any] = AwsFiles().values(storage, credentials)
        return {
            **found,
            "operator": {"container": {"additionalEnv": variables}},
            "patches": [*found.get("patches", ()), *patches(variables)],
        }

    def told(self, storage: Storage) -> str:
        return client_config(storage)

    def share(self) -> PodShare:
        names = (S3Exchange.URL, S3Exchange.TOKEN)
        return AwsFiles().share() + PodShare(variables=tuple(from_secret(S3Exchange.SECRET, names)))


class GoogleFile:
    """The key file, which the chart mounts and has the SDKs find."""

    def files(self, storage: Storage, credentials: GoogleKey | GooglePool) -> Files:
        return {credentials.FILE: credentials.text}

    def values(self, storage: Storage, credentials: GoogleKey | GooglePool) -> dict[str, Any]:
        values: dict[str, Any] = load_yaml(
            "operator/google-values.yaml",
            {"project": credentials.project, "secret": credentials.SECRET},
        )
        return values

    def told(self, storage: Storage) -> str:
        return ""

    def share(self) -> PodShare:
        variables = {"GOOGLE_APPLICATION_CREDENTIALS": f"{_GOOGLE_FOLDER}/{GoogleKey.FILE}"}
        return _mounted(GoogleKey.SECRET, _GOOGLE_FOLDER, variables)


class AzureVariables:
    """The variables of Azure's SDKs; the chart knows nothing of them: each refers to the Secret."""

    def files(self, storage: Storage, credentials: AzureSecret | EntraIdentity) -> Files:
        # Where the account is, a later teardown has from nowhere else.
        return {**credentials.variables, AzureSecret.ENDPOINT: storage.endpoint}

    def values(self, storage: Storage, credentials: AzureSecret | EntraIdentity) -> dict[str, Any]:
        variables = from_secret(credentials.SECRET, credentials.variables)
        return {
            "operator": {"container": {"additionalEnv": variables}},
            "patches": patches(variables),
        }

    def told(self, storage: Storage) -> str:
        return ""

    def share(self) -> PodShare:
        return PodShare(sources=({"secretRef": {"name": AzureSecret.SECRET}},))


def from_secret(secret: str, names: Iterable[str]) -> list[Document]:
    """Variables that are in a Secret under their own names."""
    return [
        load_yaml("operator/variable-from-secret.yaml", {"variable": name, "secret": secret})
        for name in names
    ]


def _mounted(secret: str, folder: str, variables: Mapping[str, str]) -> PodShare:
    return PodShare(
        ({"name": _VOLUME, "secret": {"secretName": secret}},),
        ({"name": _VOLUME, "mountPath": folder, "readOnly": True},),
        tuple({"name": name, "value": value} for name, value in variables.items()),
    )


_MOUNTS: Mapping[type[Credentials], Mount[Any]] = {
    S3Keys: AwsFiles(),
    S3Role: AwsFilesOfRole(),
    S3Exchange: AwsFilesOfExchange(),
    GoogleKey: GoogleFile(),
    GooglePool: GoogleFile(),
    AzureSecret: AzureVariables(),
    EntraIdentity: AzureVariables(),
}


def mount_of(kind: type[Credentials]) -> Mount[Any]:
    return _MOUNTS[kind]


def patches(variables: Sequence[Document]) -> list[Document]:
    """What gives variables to the agents of every Ray pod."""
    return [
        load_yaml(
            "operator/agents-patch.yaml",
            {
                "node": node,
                "operations": [
                    load_yaml(
                        "operator/variable-operation.yaml",
                        {"container": container, "variable": variable},
                    )
                    for container in containers
                    for variable in variables
                ],
            },
        )
        for node, containers in AGENTS.items()
    ]


def client_config(storage: Storage, role: S3Role | None = None) -> str:
    """The config file with which any AWS SDK speaks to the store as it wants to be spoken to.

    With a role the SDKs also ask STS at the store's own address, where it has one.
    https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
    """
    options = {"region": storage.region}
    if role is not None:
        options |= {"role_arn": role.arn, "web_identity_token_file": PATH}
        options["role_session_name"] = "anyscale"
    if storage.endpoint:
        options["endpoint_url"] = storage.endpoint
    options["request_checksum_calculation"] = storage.checksums.value
    options["response_checksum_validation"] = storage.checksums.value
    nested = {"signature_version": "s3v4"}
    if storage.addressing:
        nested["addressing_style"] = storage.addressing.value
    options["s3"] = "".join(f"\n{name} = {value}" for name, value in sorted(nested.items()))
    return _ini(options)


def _ini(options: Mapping[str, str]) -> str:
    # SDKs read these files with other rules than Python's: no interpolation, keys as they are.
    parser = configparser.RawConfigParser()
    parser[PROFILE] = options
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
