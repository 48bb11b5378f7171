"""Keys that a person has on this machine: in variables, or in a profile of the AWS files."""

from __future__ import annotations

import os

from botocore.exceptions import BotoCoreError

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.providers.objectstore.sdk.core import new_session

OWN = ("ANYSCALE_K8S_STORAGE_ACCESS_KEY_ID", "ANYSCALE_K8S_STORAGE_SECRET_ACCESS_KEY")
AMAZONS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
TEMPORARY = "AWS_SESSION_TOKEN"


def given_keys(profile: str | None) -> S3Keys | None:
    """A named profile's keys, else our own variables', else Amazon's; None when nobody has any.

    Raises `cloud-credentials-missing` for a profile without keys, and
    `cloud-credentials-rejected` for keys that soon end by themselves.
    """
    if profile:
        return _of_profile(profile)
    for id_name, secret_name in (OWN, AMAZONS):
        access_key, secret = os.environ.get(id_name), os.environ.get(secret_name)
        if access_key and secret:
            if id_name in AMAZONS and os.environ.get(TEMPORARY):
                raise _temporary(f"{TEMPORARY} is set")
            return S3Keys(access_key, secret)
    return None


def callers_keys(profile: str | None) -> S3Keys | None:
    """Keys of whoever runs this, found as `given_keys` does: they go to no pod and may end soon.

    Of a profile whatever the SDK makes of it: a sign-in, a role. Raises
    `cloud-credentials-missing` for a profile that gives none.
    """
    if not profile:
        for id_name, secret_name in (OWN, AMAZONS):
            access_key, secret = os.environ.get(id_name), os.environ.get(secret_name)
            if access_key and secret:
                session = os.environ.get(TEMPORARY, "") if id_name in AMAZONS else ""
                return S3Keys(access_key, secret, session)
        return None
    try:
        found = new_session(profile).get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except BotoCoreError as problem:
        raise _without_keys(profile, str(problem)) from problem
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise _without_keys(profile, "the SDK finds none for it")
    return S3Keys(frozen.access_key, frozen.secret_key, frozen.token or "")


def _of_profile(profile: str) -> S3Keys:
    try:
        profiles = new_session().full_config.get("profiles", {})
    except BotoCoreError as problem:
        raise _without_keys(profile, str(problem)) from problem
    found = profiles.get(profile)
    if found is None:
        raise _without_keys(profile, "there is no such profile")
    if found.get("aws_session_token"):
        raise _temporary(f"the profile {profile} has a session token")
    try:
        return S3Keys(found["aws_access_key_id"], found["aws_secret_access_key"])
    except KeyError as missing:
        raise _without_keys(profile, f"it has no {missing}") from missing


def _without_keys(profile: str, cause: str) -> errors.CliError:
    return errors.CliError(
        errors.CLOUD_CREDENTIALS_MISSING,
        f"The profile {profile} has no keys for the object store",
        cause=cause,
        fix=f"write them with `aws configure --profile {profile}`",
    )


def _temporary(cause: str) -> errors.CliError:
    return errors.CliError(
        errors.CLOUD_CREDENTIALS_REJECTED,
        "The keys for the object store end by themselves",
        cause=f"{cause}, and the operator would lose the bucket when they do",
        fix=f"give lasting keys of the store in {' and '.join(OWN)}",
    )
