"""Customer secret keys of the operator's user: made, and ended. They last until then."""

from __future__ import annotations

from collections.abc import Sequence

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.objectstore.probe import use
from anyscale_k8s_cli.providers.oke import codes
from anyscale_k8s_cli.providers.oke.named import default_name, known_id
from anyscale_k8s_cli.providers.oke.oracle import Oracle
from anyscale_k8s_cli.providers.oke.sdk.failures import LIMITS
from anyscale_k8s_cli.providers.oke.sdk.identity import SecretKey
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.storage_keys import IssuedKey

# Of each user: https://docs.oracle.com/iaas/Content/Identity/Tasks/managingcredentials.htm
MOST = 2


def key(install: Install) -> str:
    return f"oci:customer-secret-key/{default_name(install)}"


def keys_of_others(oracle: Oracle, user: str, install: Install) -> Sequence[SecretKey]:
    """Those of a user that are not this install's."""
    return [item for item in oracle.identity.keys(user) if item.name != default_name(install)]


def make_room(user: str) -> str:
    """How somebody who knows what the keys are for deletes one."""
    return (
        f"oci iam customer-secret-key delete --user-id {user} --customer-secret-key-id <id>\n"
        "deletes one that nobody needs; or leave --identity out"
    )


class SecretKeys:
    """How an install's keys are made and ended. They have no tags: their name tells.

    A user whom the person named may have keys of that person's beside them.
    """

    def __init__(self, oracle: Oracle, install: Install, user: Resource[str], bucket: str) -> None:
        self._oracle = oracle
        self._install = install
        self._user = user
        self._bucket = bucket

    @property
    def _name(self) -> str:
        return default_name(self._install)

    def keys(self) -> Sequence[IssuedKey]:
        return [
            IssuedKey(item.id, item.active, owner=self._install)
            for item in self._oracle.identity.keys(known_id(self._user))
            if item.name == self._name
        ]

    def issue(self) -> S3Keys:
        """Those of ours that are of no use have gone by now. Raises `oci-key-limit`."""
        user = known_id(self._user)
        try:
            made = self._oracle.identity.create_key(user, self._name)
        except CloudFailure as failure:
            there = self._oracle.identity.keys(user)
            if failure.api_code in LIMITS or (failure.status < 500 and len(there) >= MOST):
                raise self._too_many(
                    user, [f"{item.id} {item.name}" for item in there]
                ) from failure
            raise
        return S3Keys(made.id, made.secret)

    def _too_many(self, user: str, there: list[str]) -> errors.CliError:
        return errors.CliError(
            codes.OCI_KEY_LIMIT,
            f"The user {user} has {MOST} customer secret keys, and there may be no more",
            cause="they are not this tool's, which therefore does not delete one",
            evidence=tuple(there),
            fix=make_room(user),
        )

    def revoke(self, access_key: str) -> None:
        self._oracle.identity.delete_key(known_id(self._user), access_key)

    def wait_usable(self, keys: S3Keys) -> None:
        """Proven by use: objects put, read, listed and deleted as the pods will."""
        use(self._oracle.s3(keys), self._bucket)
