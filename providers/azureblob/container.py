"""The bucket in an account that is there: a container that we make, or one that the user has.

Whose a container is stands in its metadata. The rules for browsers are the account's, and
only who has rights on the account may see them: where nobody may, that is told and fails
nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import MARK_PREFIX, Install
from anyscale_k8s_cli.providers.azureblob import cors
from anyscale_k8s_cli.providers.azureblob.account import Account
from anyscale_k8s_cli.providers.azureblob.cors import CorsRule
from anyscale_k8s_cli.providers.azureblob.keyed import KeyedAccount
from anyscale_k8s_cli.providers.azureblob.sdk.failures import BUSY
from anyscale_k8s_cli.providers.azureblob.sdk.service import EXISTS
from anyscale_k8s_cli.resource import (
    AdoptedResource,
    DataResource,
    FieldChange,
    Observed,
    Resource,
    Unfit,
)

KIND = "azure-container"
NAME_LIMIT = 63
# Seconds. A container's name is free again half a minute after the container was deleted.
SETTLE_SECONDS = 60.0
_CORS_FIELD = "CORS for the console"
# The names of metadata are identifiers, without dashes or slashes.
_PREFIX = f"{MARK_PREFIX}/".replace("-", "_").replace("/", "_")


def default_name(install: Install) -> str:
    return install.name(limit=NAME_LIMIT)


def key(account: Account, name: str) -> str:
    return f"azure:container/{account.name}/{name}"


def title(account: Account, name: str) -> str:
    return f"container {name} of storage account {account.name}"


def metadata(install: Install) -> dict[str, str]:
    """The locator as a container's metadata."""
    pairs = install.locator().items()
    return {
        _PREFIX + name.partition("/")[2].replace("-", "_"): value for name, value in pairs if value
    }


def owner(found: Mapping[str, str]) -> Install | None:
    """The install that metadata tells of; None when it is not ours."""
    return Install.from_locator(
        {
            f"{MARK_PREFIX}/{name[len(_PREFIX) :].replace('_', '-')}": value
            for name, value in found.items()
            if name.startswith(_PREFIX)
        }
    )


def of_install(azure: KeyedAccount, install: Install) -> str:
    """The name of the install's container, by locators: the usual one, else any; else empty."""
    usual = default_name(install)
    found = azure.service.container(usual)
    if found is not None and _is_of(found, install):
        return usual
    others = azure.service.names("")
    return next((name for name, found in others.items() if _is_of(found, install)), "")


def _is_of(found: Mapping[str, str], install: Install) -> bool:
    of = owner(found)
    return of is not None and of.id == install.id


@dataclass(frozen=True)
class _Seen:
    """`rules` is None where nobody may see them."""

    metadata: Mapping[str, str]
    rules: Sequence[CorsRule] | None


class Container(DataResource[Storage]):
    """Ours. `origin` is the console's; empty where nothing is set up (a teardown)."""

    kind: ClassVar[str] = KIND

    def __init__(
        self,
        azure: KeyedAccount,
        install: Install,
        name: str,
        *,
        origin: str = "",
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=key(azure.account, name),
            title=title(azure.account, name),
            install=install,
            needs=needs,
        )
        self._azure = azure
        self._origin = origin
        self.name = name

    @property
    def output(self) -> Storage:
        """Known beforehand, but for whether the console can be let in."""
        return self.observed.output if self.observed else self._azure.storage(self.name)

    def read(self) -> Observed[Storage] | None:
        found = self._azure.service.container(self.name)
        if found is None:
            return None
        return self._observed(_Seen(found, self._azure.rules() if self._origin else None))

    def diff(self, observed: Observed[Storage]) -> Sequence[FieldChange]:
        seen: _Seen = observed.state
        changes = []
        if owner(seen.metadata) != self.install:
            told = _told(owner(seen.metadata)), _told(self.install)
            changes.append(FieldChange("locator", *told))
        if seen.rules is not None and not cors.admits(seen.rules, self._origin):
            changes.append(FieldChange(_CORS_FIELD, "absent", self._origin))
        return changes

    def create(self) -> Observed[Storage]:
        def make() -> None:
            self._azure.service.create(self.name, metadata(self.install))

        try:
            self._azure.run.retry(make, retriable=_busy, what=self.title, timeout=SETTLE_SECONDS)
        except CloudFailure as failure:
            if failure.denied:
                raise self._azure.not_allowed(failure) from failure
            if failure.api_code != EXISTS:
                raise
        observed = self.read()
        if observed is None or observed.owner is None or observed.owner.id != self.install.id:
            raise errors.CliError(
                errors.FOREIGN_OBJECT,
                f"The {self.title} is not ours",
                cause="somebody has made a container of this name in the meantime",
                fix="set rules.names.bucket to another name, or adopt the container with "
                f"--bucket {self._azure.account.url(self.name)}",
            )
        return self.update(observed, self.diff(observed))

    def update(
        self, observed: Observed[Storage], changes: Sequence[FieldChange]
    ) -> Observed[Storage]:
        fields = {change.field for change in changes}
        if not fields:
            return observed
        if "locator" in fields:
            self._mark(observed.state.metadata, self.install)
        if _CORS_FIELD in fields:
            self._azure.admit(self._origin)
        found = self.read()
        if found is None:
            raise errors.CliError(
                errors.BUCKET_MISSING,
                f"The {self.title} went away while it was changed",
                fix="run the same command again: it makes the container anew",
            )
        return found

    def delete(self, observed: Observed[Storage]) -> None:
        """With everything in it. Whether that may be is the caller's to say."""
        self._azure.service.delete(self.name)
        self._azure.run.wait_gone(
            lambda: self._azure.service.container(self.name),
            by="Azure",
            what=self.title,
            timeout=SETTLE_SECONDS,
        )

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        """Once it was used as the operator and its pods will use it."""
        self._azure.prove(self.name)
        if self._origin and not observed.output.cors:
            _tell_without_cors(self._azure, self._origin)
        return observed

    def contents(self, observed: Observed[Storage]) -> str:
        return str(self._azure.blobs(self.name).tally())

    def forget_cluster(self, observed: Observed[Storage]) -> None:
        found = observed.owner
        if found is not None and found.cluster_uid:
            self._mark(observed.state.metadata, found.forgetting_cluster())

    def _mark(self, found: Mapping[str, str], install: Install) -> None:
        """Ours in the place of an older one of ours; other people's metadata stays."""
        others = {name: value for name, value in found.items() if not name.startswith(_PREFIX)}
        self._azure.service.mark(self.name, {**others, **metadata(install)})

    def _observed(self, seen: _Seen) -> Observed[Storage]:
        output = replace(self._azure.storage(self.name), cors=seen.rules is not None)
        return Observed(id=output.url, output=output, owner=owner(seen.metadata), state=seen)


class AdoptedContainer(AdoptedResource[Storage]):
    """The user's own."""

    kind: ClassVar[str] = KIND

    def __init__(
        self,
        azure: KeyedAccount,
        install: Install,
        name: str,
        *,
        origin: str,
        needs: Sequence[Resource[Any]] = (),
    ) -> None:
        super().__init__(
            key=key(azure.account, name),
            title=title(azure.account, name),
            install=install,
            needs=needs,
        )
        self._azure = azure
        self._origin = origin
        self.name = name

    @property
    def output(self) -> Storage:
        """Known beforehand, but for whether the console can be let in."""
        return self.observed.output if self.observed else self._azure.storage(self.name)

    def read(self) -> Observed[Storage] | None:
        found = self._azure.service.container(self.name)
        if found is None:
            return None
        rules = self._azure.rules()
        output = replace(self._azure.storage(self.name), cors=rules is not None)
        unfit = []
        if rules is not None and not cors.admits(rules, self._origin):
            why = f"the CORS rules of its account do not admit the console ({self._origin})"
            unfit.append(Unfit(why, by_hand(self._azure.account, self._origin)))
        return Observed(id=output.url, output=output, unfit=tuple(unfit))

    def ready(self, observed: Observed[Storage]) -> Observed[Storage]:
        """Once it was used as the operator and its pods will use it; nothing of that stays."""
        self._azure.prove(self.name)
        if not observed.output.cors:
            _tell_without_cors(self._azure, self._origin)
        return observed


def by_hand(account: Account, origin: str) -> str:
    """What the account's owner types to let the console in."""
    rule = cors.rule(origin)
    options = {
        "--account-name": account.name,
        "--services": "b",
        "--origins": shlex.quote(origin),
        "--methods": " ".join(rule.methods),
        "--allowed-headers": shlex.quote(",".join(rule.headers)),
        "--exposed-headers": shlex.quote(",".join(rule.exposed)),
        "--max-age": str(rule.seconds),
    }
    told = " ".join(f"{name} {value}" for name, value in options.items())
    return f"az storage cors add {told}"


def _tell_without_cors(azure: KeyedAccount, origin: str) -> None:
    text = (
        f"the CORS rules of the storage account {azure.account.name} cannot be seen with these "
        f"rights: if they do not admit the console ({origin}), it shows no logs and files; its "
        f"owner lets it in with: {by_hand(azure.account, origin)}"
    )
    azure.run.emit(Notice(level="warning", text=text))


def _told(install: Install | None) -> str | None:
    return f"{install.id} {install.cluster_uid}".strip() if install else None


def _busy(problem: BaseException) -> bool:
    return isinstance(problem, CloudFailure) and problem.api_code in BUSY
