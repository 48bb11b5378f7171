"""The storage account and its container: ones that we make and keep, or the user's own."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.object_storage import summary
from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.aks import bucket_settings, encryption_key, tags
from anyscale_k8s_cli.providers.aks.azure import Azure
from anyscale_k8s_cli.providers.aks.bucket_settings import BucketWishes
from anyscale_k8s_cli.providers.aks.sdk.storage import (
    NO_ACCESS,
    Account,
    Settings,
)
from anyscale_k8s_cli.providers.azureblob import cors as cors_rules
from anyscale_k8s_cli.providers.azureblob.cors import CorsRule
from anyscale_k8s_cli.providers.azureblob.sdk.blobs import READ
from anyscale_k8s_cli.providers.azureblob.sdk.failures import BUSY, TAKEN
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    DataResource,
    FieldChange,
    Observed,
    Unfit,
)
from anyscale_k8s_cli.run import StillWaiting

CONTAINER = "anyscale-data"
# https://learn.microsoft.com/azure/storage/common/storage-account-overview
NAME_LIMIT = 24
# Seconds. Azure makes an account in half a minute, as a rule.
MADE_WITHIN = 300.0
SETTLE_SECONDS = 60.0
_READER = "the role Storage Blob Data Reader"
_CONTAINER_FIELD = "container"
_CORS_FIELD = "CORS for the console"


@dataclass(frozen=True)
class Place:
    """One container of one account."""

    account: str
    container: str


def default_name(install: Install) -> str:
    """`<prefix><cloud><id>` in letters and digits, the only ones that names of accounts have.

    Where that is too long, a hash stands for the cloud's name, or for prefix and
    name: a cut would let two clouds meet.
    """
    return _name(install, install.id)


def other_name(install: Install) -> str:
    """A name to try where somebody else has the usual one."""
    again = hashlib.sha256(f"{install.account}\n{install.id}".encode()).hexdigest()[:8]
    return _name(install, again)


def _name(install: Install, end: str) -> str:
    prefix, cloud = (
        re.sub(r"[^a-z0-9]", "", part.lower()) for part in (install.name_prefix, install.cloud)
    )

    def digest(text: str, length: int) -> str:
        return hashlib.sha256(text.encode()).hexdigest()[:length]

    whole = f"{install.name_prefix}\n{install.cloud}"
    names = (f"{prefix}{cloud}{end}", f"{prefix}{digest(install.cloud, 8)}{end}")
    hashed = f"{digest(whole, NAME_LIMIT - len(end))}{end}"
    return next((name for name in names if len(name) <= NAME_LIMIT), hashed)


def key(account: str) -> str:
    return f"azure:storage-account/{account}"


def title(account: str) -> str:
    return f"storage account {account}"


def url(account: Account, container: str) -> str:
    """As the control plane and Ray name a container."""
    return f"abfss://{container}@{account.host}"


@dataclass(frozen=True)
class BucketState:
    """`access` is the container's public access, None without a container."""

    account: Account | None
    access: str | None = None
    cors: Sequence[CorsRule] = ()


class Bucket(DataResource[Storage]):
    """Ours, found by name and locator. Setup never deletes it, and delete only when told to."""

    kind: ClassVar[str] = "storage-account"

    def __init__(
        self, azure: Azure, install: Install, group: str, name: str, wishes: BucketWishes
    ) -> None:
        super().__init__(key=key(name), title=title(name), install=install)
        self._azure = azure
        self._group = group
        self._wishes = wishes
        self.name = name

    def read(self) -> Observed[Storage] | None:
        """Also an account of somebody else's is seen, by its name being taken."""
        storage = self._azure.storage
        account = storage.account(self._group, self.name)
        if account is None:
            if _taken_elsewhere(self._azure, self.name):
                return self._observed(BucketState(None), manager=f"somebody else; {self._advice()}")
            return None
        if account.location != self.install.region:
            manager = f"location {account.location}; {self._advice()}"
            return self._observed(BucketState(account), manager=manager)
        if not account.settled:
            return self._observed(BucketState(account))
        access, cors = side_by_side(
            lambda: storage.container(self._group, self.name, CONTAINER),
            lambda: storage.cors(self._group, self.name),
        )
        return self._observed(BucketState(account, access, cors))

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        state: BucketState = observed.state
        if state.account is None:
            return ()
        found = bucket_settings.changes(state.account.settings, self._wishes)
        if not state.account.settled:
            return [*found, FieldChange(_CONTAINER_FIELD, "the account is being made", CONTAINER)]
        if state.access != NO_ACCESS:
            found.append(FieldChange(_CONTAINER_FIELD, state.access or "absent", CONTAINER))
        if not cors_rules.has_ours(state.cors, self._wishes.console_origin):
            found.append(FieldChange(_CORS_FIELD, "absent", self._wishes.console_origin))
        return found

    def protection(self, observed: Observed[Storage]) -> Mapping[str, str]:
        return _protection(observed.state)

    def create(self) -> Observed[Storage]:
        settings = bucket_settings.wanted(Settings(), self._wishes)
        try:
            with encryption_key.named(settings.kms_key, self.name):
                self._azure.storage.create(self._group, self.name, self.install.region, settings)
        except CloudFailure as failure:
            if failure.api_code in TAKEN:
                raise self._taken("somebody else has an account of this name") from failure
            if failure.api_code not in BUSY:
                raise
        observed = self._settled()
        if observed.owner is None or observed.owner.id != self.install.id or observed.manager:
            raise self._taken(
                observed.manager or "an account of this name in your group is not ours"
            )
        return self.update(observed, self.diff(observed))

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        if not changes:
            return observed
        state: BucketState = observed.state
        if state.account is None or not state.account.settled:
            observed = self._settled()
            return self.update(observed, self.diff(observed))
        fields = {change.field for change in changes}
        storage = self._azure.storage
        if fields - {_CONTAINER_FIELD, _CORS_FIELD}:
            settings = bucket_settings.wanted(state.account.settings, self._wishes)
            with encryption_key.named(settings.kms_key, self.name):
                storage.update(self._group, self.name, settings)
        if _CONTAINER_FIELD in fields:
            put = storage.put_container if state.access is None else storage.close_container
            self._azure.run.retry(
                lambda: put(self._group, self.name, CONTAINER),
                retriable=_busy,
                what=f"the container {CONTAINER} of {self.name}",
                timeout=SETTLE_SECONDS,
            )
        if _CORS_FIELD in fields:
            self._admit_console()
        return self._settled()

    def delete(self, observed: Observed[Storage]) -> None:
        """The account with everything in it. Whether that may be is the caller's to say."""
        self._azure.storage.delete(self._group, self.name)
        self._azure.run.wait_gone(
            lambda: self._azure.storage.account(self._group, self.name),
            by="Azure",
            what=self.title,
            timeout=MADE_WITHIN,
        )

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        state: BucketState = observed.state
        if state.account is None or not state.account.settled:
            return summary(0, 0)
        try:
            return self._counted(state.account)
        except CloudFailure as failure:
            if not failure.denied and failure.status != 404:
                raise
            told = f"what is in it you may not see: {failure.message}"
            by_key = state.account.settings.shared_key or not failure.denied
            return told if by_key else f"{told}; it takes {READ}, as {_READER} has it"

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        state: BucketState = observed.state
        if state.account is None:
            return
        found = state.account.settings
        left = tags.without_cluster(found.tags)
        if left != found.tags:
            self._azure.storage.tag(self._group, self.name, left)

    # -- parts -----------------------------------------------------------------

    def _admit_console(self) -> None:
        """The rules are one list: what others have put there by now stays."""
        storage, origin = self._azure.storage, self._wishes.console_origin
        rules = storage.cors(self._group, self.name)
        storage.set_cors(self._group, self.name, cors_rules.with_ours(rules, origin, self.name))

    def _counted(self, account: Account) -> str:
        """As ourselves, else by the account's key where that is allowed."""
        blobs = self._azure.blobs(account, CONTAINER)
        try:
            tally = blobs.tally()
        except CloudFailure as failure:
            if not failure.denied or not account.settings.shared_key:
                raise
            blobs = self._azure.blobs_by_key(account, CONTAINER)
            tally = blobs.tally()
        return str(tally)

    def _settled(self) -> Observed[Storage]:
        def look() -> Observed[Storage]:
            observed = self.read()
            if observed is None or observed.state.account is None:
                raise StillWaiting("Azure does not show it yet")
            if not observed.state.account.settled:
                raise StillWaiting("it is being made")
            return observed

        return self._azure.run.wait_for(look, what=self.title, timeout=MADE_WITHIN)

    def _taken(self, cause: str) -> errors.CliError:
        return errors.CliError(
            errors.FOREIGN_OBJECT,
            f"The storage account name {self.name} is taken",
            cause=cause,
            fix=f"{self._advice()}, or adopt an account of yours with --bucket ACCOUNT/CONTAINER",
        )

    @property
    def _expected_id(self) -> str:
        return _id_of(self._azure, self._group, self.name)

    def _advice(self) -> str:
        return (
            f"set rules.names.storage-account to another name, such as {other_name(self.install)}"
        )

    def _observed(self, state: BucketState, manager: str = "") -> Observed[Storage]:
        account = state.account
        found = account.settings.tags if account and not manager else {}
        return Observed(
            id=account.id.lower() if account else self._expected_id,
            output=_output(account, CONTAINER, self.install.region),
            owner=tags.owner(found, self._azure.subscription_id),
            manager=manager,
            settled=account is not None and account.settled,
            state=state,
        )


class AdoptedBucket(AdoptedResource[Storage]):
    """A container of the user's own."""

    kind: ClassVar[str] = "storage-account"

    def __init__(self, azure: Azure, install: Install, place: Place, console_origin: str) -> None:
        super().__init__(
            key=f"{key(place.account)}/{place.container}",
            title=f"container {place.container} of {title(place.account)}",
            install=install,
        )
        self._azure = azure
        self._origin = console_origin
        self._place = place

    def read(self) -> Observed[Storage] | None:
        """Wherever in the subscription the account is."""
        account = find(self._azure, self._place.account)
        if account is None and _taken_elsewhere(self._azure, self._place.account):
            return self._elsewhere()
        if account is None or not account.settled:
            return None
        storage, place = self._azure.storage, self._place
        access, cors = side_by_side(
            lambda: storage.container(account.group, account.name, place.container),
            lambda: storage.cors(account.group, account.name),
        )
        unfit = []
        if access is None:
            unfit.append(
                Unfit(
                    f"it has no container {place.container}",
                    f"az storage container-rm create --storage-account {account.name} "
                    f"--resource-group {account.group} --name {place.container}",
                )
            )
        if not cors_rules.admits(cors, self._origin):
            unfit.append(self._without_cors(account))
        return Observed(
            id=account.id.lower(),
            output=_output(account, place.container, account.location),
            unfit=tuple(unfit),
            state=BucketState(account, access, cors),
        )

    def protection(self, observed: Observed[Storage]) -> Mapping[str, str]:
        return _protection(observed.state)

    def _elsewhere(self) -> Observed[Storage]:
        place, subscription = self._place, self._azure.subscription_id
        why = Unfit(
            f"the account is not in the subscription {subscription}, or you may not see it there",
            f"name a container of an account in that subscription; `az storage account list "
            f"--subscription {subscription}` shows those that you see",
        )
        return Observed(
            id=_id_of(self._azure, tags.group_of(self.install), place.account),
            output=_output(None, place.container, self.install.region),
            unfit=(why,),
            state=BucketState(None),
        )

    def _without_cors(self, account: Account) -> Unfit:
        rule = cors_rules.rule(self._origin)
        options = {
            "--account-name": account.name,
            "--services": "b",
            "--origins": self._origin,
            "--methods": " ".join(rule.methods),
            "--allowed-headers": ",".join(rule.headers),
            "--exposed-headers": ",".join(rule.exposed),
            "--max-age": str(rule.seconds),
        }
        told = " ".join(
            f"{name} {value if name == '--methods' else shlex.quote(value)}"
            for name, value in options.items()
        )
        return Unfit(
            f"its CORS rules do not admit the console ({self._origin})",
            f"az storage cors add {told}",
        )


def _protection(state: BucketState) -> dict[str, str]:
    if state.account is None:
        return {}
    return {
        **bucket_settings.told(state.account.settings),
        "container": f"public access {state.access or 'unknown'}",
    }


def _id_of(azure: Azure, group: str, name: str) -> str:
    place = f"/subscriptions/{azure.subscription_id}/resourcegroups/{group.lower()}"
    return f"{place}/providers/microsoft.storage/storageaccounts/{name}"


def _taken_elsewhere(azure: Azure, name: str) -> bool:
    """Only who has rights on the whole subscription may ask; else using it will tell."""
    try:
        return azure.storage.taken(name)
    except CloudFailure as failure:
        if failure.denied:
            return False
        raise


def find(azure: Azure, name: str) -> Account | None:
    """The account of that name in any group of the subscription."""
    found = next((item for item in azure.storage.accounts() if item.name == name), None)
    # Lists leave out what is not quickly had.
    return azure.storage.account(found.group, name) if found is not None else None


def _output(account: Account | None, container: str, region: str) -> Storage:
    if account is None:
        return Storage("", region)
    return Storage(url(account, container), region, account.endpoint)


def _busy(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in BUSY
