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
class AzureSecret:
    """An application of Entra's with a client secret of it.

    The Secret holds them by the names of the variables that Azure's SDKs read.
    """

    # The chart knows of none; named after its others.
    SECRET: ClassVar[str] = "anyscale-azure-credentials"  # noqa: S105 - a name

    tenant: str
    client: str
    secret: str = field(repr=False)

    @property
    def id(self) -> str:
        """A secret has no id that its bearer knows. Entra draws it, so nobody can try it out."""
        return f"{self.client}/{hashlib.sha256(self.secret.encode()).hexdigest()[:8]}"

    @property
    def variables(self) -> Mapping[str, str]:
        return {
            "AZURE_TENANT_ID": self.tenant,
            "AZURE_CLIENT_ID": self.client,
            "AZURE_CLIENT_SECRET": self.secret,
        }

    @classmethod
    def read(cls, files: Files) -> AzureSecret | None:
        found = [
            files.get(name, "")
            for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        ]
        return cls(*found) if all(found) else None


# All kinds, in the order in which a cluster is looked through for what an earlier setup left.
KINDS: tuple[type[Credentials], ...] = (S3Keys, S3Role, GoogleKey, AzureSecret)

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
