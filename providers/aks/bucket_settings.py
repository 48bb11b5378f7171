"""What our storage account is set to, leaving other people's tags and rules in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from anyscale_k8s_cli.providers.aks.sdk.storage import TLS, Settings
from anyscale_k8s_cli.resource import FieldChange, differences, with_pairs


@dataclass(frozen=True)
class BucketWishes:
    """`shared_key` is whether the account's keys may be used beside Entra's tokens.

    `kms_key` is the identifier of a key that encrypts the account, and `kms_identity` the id of
    the identity in whose name Azure uses it.
    """

    tags: Mapping[str, str]
    console_origin: str
    shared_key: bool
    dropped_tags: Mapping[str, str] = field(default_factory=dict)
    kms_key: str = ""
    kms_identity: str = ""


def wanted(found: Settings, wishes: BucketWishes) -> Settings:
    """The settings that are there, with ours in them; without a key the encryption stays."""
    return replace(
        found,
        tags=with_pairs(found.tags, wishes.tags, wishes.dropped_tags),
        https_only=True,
        tls=TLS,
        public_access=False,
        shared_key=wishes.shared_key,
        kms_key=wishes.kms_key,
        kms_identity=wishes.kms_identity,
    )


def told(found: Settings) -> dict[str, str]:
    """For people: how what is in the account is kept from others."""
    return {
        "encryption": found.kms_key or "with keys of Azure's",
        "in transit": f"HTTPS only, {found.tls}" if found.https_only else "HTTP TOO",
        "public access": "ALLOWED" if found.public_access else "not allowed",
        "account keys": "may be used" if found.shared_key else "off",
    }


def changes(found: Settings, wishes: BucketWishes) -> list[FieldChange]:
    """How the settings differ from what they should be."""
    new = wanted(found, wishes)
    pairs = [
        ("HTTPS only", found.https_only, new.https_only),
        ("least version of TLS", found.tls, new.tls),
        ("public access", found.public_access, new.public_access),
        ("shared key access", found.shared_key, new.shared_key),
    ]
    if new.kms_key:
        pairs += [
            ("encryption key", found.kms_key, new.kms_key),
            ("identity that uses the key", found.kms_identity, new.kms_identity),
        ]
    return differences("tag", found.tags, wishes.tags, wishes.dropped_tags) + [
        FieldChange(name, old, value) for name, old, value in pairs if old != value
    ]
