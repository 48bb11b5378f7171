"""What opens an object store for pods of a cluster that the store knows nothing of, by kind.

Belongs here: what each kind is made of, which Secret it is kept in, and how it is read
from that again. How the Secret is written and brought to the pods is the core's
(`addons/credential_mounts.py`), whose credentials they are is `storage_keys.py`'s.
"""

from __future__ import annotations

import base64
import binascii
import configparser
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self, TypeVar

from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.storage_token import PATH

# Of the AWS SDKs' files.
PROFILE = "default"

Files = Mapping[str, str]


class Credentials(Protocol):
    """What the operator and its pods show to a store: one class for each kind.

    A kind says which Secret it is kept in and reads itself from it. How it is written
    there, and how the chart brings it to the pods, says its mount
    (`addons/credential_mounts.py`).
    """

    SECRET: ClassVar[str]

    @property
    def id(self) -> str:
        """Names them, changes with them, and tells nothing that is secret."""
        ...

    @classmethod
    def read(cls, files: Files) -> Self | None:
        """Those in a Secret's files; None where these are not whole."""
        ...


@dataclass(frozen=True)
class S3Keys:
    """An access key of an S3 store with its secret; `session` is for one that soon ends."""

    # The chart's own default for the Secret with the two files of the AWS SDKs.
    SECRET: ClassVar[str] = "anyscale-aws-credentials"  # noqa: S105 - a name

    access_key: str
    secret: str = field(repr=False)
    session: str = field(default="", repr=False)

    @property
    def id(self) -> str:
        return self.access_key

    @classmethod
    def read(cls, files: Files) -> S3Keys | None:
        said = profile(files.get("credentials", ""))
        access_key, secret = said.get("aws_access_key_id"), said.get("aws_secret_access_key")
        return cls(access_key, secret) if access_key and secret else None


@dataclass(frozen=True)
class S3Role:
    """A role that pods assume with a token of their own service account: nothing is secret."""

    SECRET: ClassVar[str] = S3Keys.SECRET

    arn: str

    @property
    def id(self) -> str:
        return self.arn

    @classmethod
    def read(cls, files: Files) -> S3Role | None:
        arn = profile(files.get("config", "")).get("role_arn")
        return cls(arn) if arn else None


@dataclass(frozen=True)
class S3Exchange:
    """An address that gives pods keys for a while for a token of their own service account:
    nothing is secret.

    The Secret holds it by the names of the variables that the AWS SDKs read.
    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """

    SECRET: ClassVar[str] = S3Keys.SECRET
    URL: ClassVar[str] = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
    TOKEN: ClassVar[str] = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - a name

    url: str

    @property
    def id(self) -> str:
        return self.url

    @property
    def variables(self) -> Mapping[str, str]:
        return {self.URL: self.url, self.TOKEN: PATH}

    @classmethod
    def read(cls, files: Files) -> S3Exchange | None:
        url = files.get(cls.URL)
        return cls(url) if url else None


@dataclass(frozen=True)
class GoogleKey:
    """A service account's key file, as Google's console hands it out."""

    # The chart's own default.
    SECRET: ClassVar[str] = "anyscale-gcp-credentials"  # noqa: S105 - a name
    FILE: ClassVar[str] = "key.json"

    text: str = field(repr=False)
    key: str
    email: str
    project: str

    @property
    def id(self) -> str:
        return self.key

    @classmethod
    def of(cls, text: str) -> GoogleKey | None:
        """The key in a file's text; None where the file is not a service account's key."""
        try:
            said = json.loads(text)
        except ValueError:
            return None
        if not isinstance(said, dict) or said.get("type") != "service_account":
            return None
        parts = [said.get(name) for name in ("private_key_id", "client_email", "project_id")]
        if not all(isinstance(part, str) and part for part in (*parts, said.get("private_key"))):
            return None
        return cls(text, *map(str, parts))

    @classmethod
    def read(cls, files: Files) -> GoogleKey | None:
        return cls.of(files.get(cls.FILE, ""))


@dataclass(frozen=True)
class GooglePool:
    """What Google's workload identity federation makes of a token of the pods' own service
    account: nothing is secret.

    `provider` is the full name of a pool's provider (`projects/…/providers/…`), `email` the
    service account that is acted as. The two addresses are those of Google's own services.
    """

    SECRET: ClassVar[str] = GoogleKey.SECRET
    FILE: ClassVar[str] = GoogleKey.FILE
    _TYPE: ClassVar[str] = "external_account"
    _VERB: ClassVar[str] = "generateAccessToken"

    provider: str
    email: str
    sts: str
    iam_credentials: str

    @property
    def id(self) -> str:
        return f"{self.email} {self.provider}"

    @property
    def audience(self) -> str:
        """What STS is asked on behalf of."""
        return f"//iam.googleapis.com/{self.provider}"

    def as_account(self, verb: str) -> str:
        """Where something is asked for as the account."""
        return f"{self.iam_credentials}/v1/projects/-/serviceAccounts/{self.email}:{verb}"

    @property
    def project(self) -> str:
        """The account's own."""
        return self.email.partition("@")[2].partition(".")[0]

    @property
    def text(self) -> str:
        """The file that Google's SDKs read: https://google.aip.dev/auth/4117"""
        said = {
            "type": self._TYPE,
            "audience": self.audience,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{self.sts}/v1/token",
            "credential_source": {"file": PATH, "format": {"type": "text"}},
            "service_account_impersonation_url": self.as_account(self._VERB),
        }
        return json.dumps(said, indent=1, sort_keys=True) + "\n"

    @classmethod
    def read(cls, files: Files) -> GooglePool | None:
        try:
            said = json.loads(files.get(cls.FILE, ""))
            provider = said["audience"].removeprefix("//iam.googleapis.com/")
            sts = said["token_url"].removesuffix("/v1/token")
            acts = said["service_account_impersonation_url"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if said.get("type") != cls._TYPE:
            return None
        host, _, account = str(acts).partition("/v1/projects/-/serviceAccounts/")
        return cls(provider, account.removesuffix(f":{cls._VERB}"), sts, host)


@dataclass(frozen=True)
class AzureSecret:
    """An application of Entra's with a client secret of it.

    The Secret holds them by the names of the variables that Azure's SDKs read. `authority` is
    said where it is not the public cloud's.
    """

    # The chart knows of none; named after its others.
    SECRET: ClassVar[str] = "anyscale-azure-credentials"  # noqa: S105 - a name
    # Beside them: where the account's blobs are, as Azure's own command line is told it.
    ENDPOINT: ClassVar[str] = "AZURE_STORAGE_SERVICE_ENDPOINT"

    tenant: str
    client: str
    secret: str = field(repr=False)
    authority: str = ""

    @property
    def id(self) -> str:
        """A secret has no id that its bearer knows. Entra draws it, so nobody can try it out."""
        return f"{self.client}/{hashlib.sha256(self.secret.encode()).hexdigest()[:8]}"

    @property
    def variables(self) -> Mapping[str, str]:
        found = {
            "AZURE_TENANT_ID": self.tenant,
            "AZURE_CLIENT_ID": self.client,
            "AZURE_CLIENT_SECRET": self.secret,
        }
        return {**found, "AZURE_AUTHORITY_HOST": self.authority} if self.authority else found

    @classmethod
    def read(cls, files: Files) -> AzureSecret | None:
        tenant, client = files.get("AZURE_TENANT_ID"), files.get("AZURE_CLIENT_ID")
        secret = files.get("AZURE_CLIENT_SECRET")
        if not (tenant and client and secret):
            return None
        return cls(tenant, client, secret, files.get("AZURE_AUTHORITY_HOST", ""))


@dataclass(frozen=True)
class EntraIdentity:
    """An application of Entra's, or a managed identity, that trusts the cluster's issuer: nothing
    is secret.

    The Secret holds it by the names of the variables that Azure's SDKs read. `authority` is
    said where it is not the public cloud's.
    """

    SECRET: ClassVar[str] = AzureSecret.SECRET

    tenant: str
    client: str
    authority: str = ""

    @property
    def id(self) -> str:
        return f"{self.tenant}/{self.client}"

    @property
    def variables(self) -> Mapping[str, str]:
        found = {
            "AZURE_TENANT_ID": self.tenant,
            "AZURE_CLIENT_ID": self.client,
            "AZURE_FEDERATED_TOKEN_FILE": PATH,
        }
        return {**found, "AZURE_AUTHORITY_HOST": self.authority} if self.authority else found

    @classmethod
    def read(cls, files: Files) -> EntraIdentity | None:
        tenant, client = files.get("AZURE_TENANT_ID"), files.get("AZURE_CLIENT_ID")
        if not (tenant and client and files.get("AZURE_FEDERATED_TOKEN_FILE")):
            return None
        return cls(tenant, client, files.get("AZURE_AUTHORITY_HOST", ""))


# All kinds, in the order in which a cluster is looked through for what an earlier setup left.
KINDS: tuple[type[Credentials], ...] = (
    S3Keys,
    S3Role,
    S3Exchange,
    GoogleKey,
    GooglePool,
    AzureSecret,
    EntraIdentity,
)

K = TypeVar("K", bound=Credentials)


def files_of(found: Mapping[str, Any] | None, install: Install) -> Files:
    """What our Secret holds, by name; nothing where it is not ours, or for what is no text."""
    if found is None:
        return {}
    owner = Install.from_locator(found["metadata"].get("annotations") or {})
    if owner is None or owner.id != install.id:
        return {}
    return {name: _text(value) for name, value in (found.get("data") or {}).items()}


def kept(kind: type[K], found: Mapping[str, Any] | None, install: Install) -> K | None:
    """The credentials in our Secret; None when it is not ours or they are not whole."""
    return kind.read(files_of(found, install))


def profile(text: str) -> Mapping[str, str]:
    """What an INI file of the AWS SDKs says; nothing where somebody has broken it."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
        return dict(parser[PROFILE])
    except (configparser.Error, KeyError):
        # Whatever somebody made of it: it will be written anew.
        return {}


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
