"""Keys of a person's own, where none are to be made for them."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.objectstore.sdk.given import (
    AMAZONS,
    OWN,
    callers_keys,
    given_keys,
)
from anyscale_k8s_cli.storage_keys import GivenKeys

_MISSING = errors.CliError(
    errors.CLOUD_CREDENTIALS_MISSING,
    "There are no keys for the object store",
    cause=f"neither {OWN[0]} and {OWN[1]} nor {AMAZONS[0]} and {AMAZONS[1]} are set, and no "
    "profile was named",
    fix="set them, or name a profile with --aws-profile",
)


def own_keys(
    install: Install, profile: str | None = None, *, lasting: bool = True
) -> GivenKeys[S3Keys]:
    """Those that pods are given must last; those of whoever runs this need not."""

    def given() -> S3Keys | None:
        return given_keys(profile) if lasting else callers_keys(profile)

    return GivenKeys(S3Keys, install, given, _MISSING)
