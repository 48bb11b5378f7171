"""A container in a storage account of Azure's, with an application's client secret, or without."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage, WorkloadEndpoints, entered_with
from anyscale_k8s_cli.cluster.service_account_tokens import Issuer
from anyscale_k8s_cli.credential_kinds import AzureSecret, EntraIdentity, files_of, kept
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import ControlPlaneFacts, Made
from anyscale_k8s_cli.providers.azureblob import checks
from anyscale_k8s_cli.providers.azureblob.account import CONTAINER, Account, account_of, place_of
from anyscale_k8s_cli.providers.azureblob.container import (
    AdoptedContainer,
    Container,
    default_name,
    of_install,
)
from anyscale_k8s_cli.providers.azureblob.keyed import KeyedAccount, signed_in
from anyscale_k8s_cli.providers.federation.entra import PUBLIC_AUTHORITY
from anyscale_k8s_cli.providers.generic import entra
from anyscale_k8s_cli.providers.generic.stores import StoreSide
from anyscale_k8s_cli.providers.generic.variables import STORE_VARIABLES
from anyscale_k8s_cli.resource import Resource
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec, Scope, Settings
from anyscale_k8s_cli.spec_loading import refuse
from anyscale_k8s_cli.storage_keys import GivenKeys, KeysResource

# As Azure's own SDKs read them.
TENANT, CLIENT, SECRET = "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"
_MISSING = errors.CliError(
    errors.CLOUD_CREDENTIALS_MISSING,
    "There is no client secret for the storage account",
    cause=f"{TENANT}, {CLIENT} and {SECRET} are not all set",
    fix="set them to an application's; `az ad app credential reset` makes a secret",
)


class AzureStore:
    """Implements :class:`~anyscale_k8s_cli.providers.generic.stores.Store`."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def secrets(self, settings: Settings, environment: Mapping[str, str]) -> Mapping[str, str]:
        if settings.get("existing.identity"):
            return {}
        questions = {
            TENANT: "Directory (tenant) id of the application (nothing: as an earlier setup was "
            "given)",
            CLIENT: "Its client id",
            SECRET: "Its client secret (not shown)",
        }
        return {name: told for name, told in questions.items() if not environment.get(name)}

    def check_spec(self, spec: CloudSpec) -> None:
        given, named = spec.existing.bucket, spec.rules.names.get("bucket")
        container, account = place_of(given) if given else ("-", None)
        wrong = []
        if not container:
            wrong.append(
                f"--bucket: {given!r}: give abfss://CONTAINER@ACCOUNT.dfs… or ACCOUNT/CONTAINER, "
                "or the container's name beside --storage-account"
            )
        if named and not CONTAINER.fullmatch(named):
            wrong.append(f"rules.names.bucket: {named!r} is no name that Azure takes")
        if not given and not named and "--" in spec.rules.name_prefix:
            wrong.append("--name-prefix: containers have no two dashes together in their names")
        wrong += entra.wrong_words(spec.existing)
        said = spec.storage.account
        if said and account_of(said) is None:
            wrong.append(
                f"--storage-account: {said!r} is neither an account's name nor the https address "
                "of its blobs"
            )
        refuse(wrong, "docs/providers/generic.md")
        if not said and account is None:
            raise errors.CliError(
                errors.MISSING_INPUT,
                "Missing: --storage-account",
                cause="which storage account the container is in cannot be found out",
                fix="add --storage-account NAME, or set ANYSCALE_K8S_STORAGE_ACCOUNT",
            )

    def side(
        self,
        spec: CloudSpec,
        install: Install,
        plane: ControlPlaneFacts,
        dropped_tags: Mapping[str, str],
        issuer: Callable[[], Issuer],
    ) -> StoreSide:
        account, origin = _account(spec), plane.cors_origin
        access = entra.EntraAccess(self._run, spec, install, issuer)
        keyless = bool(spec.existing.identity)
        keys: KeysResource[Any]
        if keyless:
            keys = access.keys
            azure = KeyedAccount(self._run, account, install.region, signed_in)
        else:
            given = GivenKeys(AzureSecret, install, given_secret, _MISSING)
            keys = given
            azure = KeyedAccount(self._run, account, install.region, lambda: given.output)
        storage = _container(azure, spec, install, origin, keys)
        cloud = entered_with(keys, storage)
        if keyless:
            cloud = replace(
                cloud,
                token_audience=access.audience,
                prove_identity=access.proof(azure, storage.name),
            )
        # An account is known by no SDK: its own address is all that there is.
        return StoreSide(
            cloud,
            checks.checks(azure, storage.name, origin),
            lambda _: WorkloadEndpoints(tokens=entra.authority() or PUBLIC_AUTHORITY),
        )

    def makes(self, install: Install) -> Made:
        return Made(
            "container",
            default_name(install),
            "a storage account of yours",
            named="bucket",
            unless=("existing.bucket",),
            data=True,
            store="azure",
        )

    def owned(
        self, scope: Scope, install: Install, secret: Mapping[str, Any] | None
    ) -> Sequence[Resource[Storage]]:
        """By the account and secret that are said, else as the cluster has them."""
        found = given_secret() or kept(AzureSecret, secret, install)
        whose = signed_in if kept(EntraIdentity, secret, install) else lambda: found
        (variable,) = STORE_VARIABLES["storage.account"]
        said = scope.storage.account or os.environ.get(variable) or _noted(secret, install)
        account = account_of(said or "")
        if account is None or (found is None and whose is not signed_in):
            return ()
        azure = KeyedAccount(self._run, account, install.region, whose)
        name = of_install(azure, install)
        return (Container(azure, install, name),) if name else ()


def _container(
    azure: KeyedAccount, spec: CloudSpec, install: Install, origin: str, keys: Resource[Any]
) -> Container | AdoptedContainer:
    if given := spec.existing.bucket:
        name, _ = place_of(given)
        return AdoptedContainer(azure, install, name, origin=origin, needs=(keys,))
    name = spec.rules.names.get("bucket") or default_name(install)
    return Container(azure, install, name, origin=origin, needs=(keys,))


def given_secret() -> AzureSecret | None:
    """What the variables of Azure's SDKs say; None when they do not say it all."""
    found = [os.environ.get(name, "") for name in (TENANT, CLIENT, SECRET)]
    if not all(found):
        return None
    tenant, client, secret = found
    return AzureSecret(tenant, client, secret, entra.authority())


def _noted(secret: Mapping[str, Any] | None, install: Install) -> str:
    """Where the account is, as our Secret has it."""
    return files_of(secret, install).get(AzureSecret.ENDPOINT, "")


def _account(spec: CloudSpec) -> Account:
    """What was said of it wins over what stands in the bucket's address."""
    said = account_of(spec.storage.account or "")
    found = said or place_of(spec.existing.bucket or "")[1]
    assert found is not None, "checked before"  # noqa: S101
    return found
