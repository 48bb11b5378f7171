"""Credentials of an object store that knows no workload identity, as resources of the graph.

Belongs here: whose they are, and when they are replaced. How a platform issues and
revokes them is its provider's; the Secret that the pods read is the core's
(`addons/storage_credentials.py`).
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Protocol

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import K, S3Keys
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.resource import AdoptedResource, FieldChange, NotYetKnown, Observed, Resource

# Keys that end sooner than this are replaced by the next setup.
RENEWED_BEFORE = timedelta(days=30)


def nothing_kept() -> None:
    """For where there is no cluster to look into."""
    return


class KeysResource(Resource[K], ABC):
    """Credentials of one kind that the operator and its pods reach the store with.

    `credentials` is the kind. `kept` gives those that the cluster's Secret holds, None when
    it holds none of ours; the core sets it before anything is read, and leaves it as it is
    where no cluster can be asked. The output raises `NotYetKnown` when no secret is known.
    """

    credentials: type[K]
    kept: Callable[[], K | None] = staticmethod(nothing_kept)

    def retire(self) -> None:
        """End what these have replaced, and what the operator may have used until now.

        Only for when it is known to work with these.
        """


class AdoptedKeys(AdoptedResource[K], KeysResource[K], ABC):
    """Credentials that are the user's: used, never changed, never revoked."""


class GivenKeys(AdoptedKeys[K]):
    """Keys that a person gave.

    `given` says them, None when nobody did: then what the Secret holds is used, so
    that a later run needs to be told nothing. `missing` is the error for neither.
    """

    kind: ClassVar[str] = "storage-keys"

    def __init__(
        self,
        credentials: type[K],
        install: Install,
        given: Callable[[], K | None],
        missing: errors.CliError,
    ) -> None:
        super().__init__(
            key=f"{self.kind}/{install.name(limit=200)}",
            title="your keys of the object store",
            install=install,
        )
        self.credentials = credentials
        self._given = given
        self._missing = missing
        self._found: K | None = None

    @property
    def output(self) -> K:
        """Known before anything is read: others read the store with them."""
        if self._found is None:
            self._found = self._given() or self.kept()
        if self._found is None:
            raise self._missing
        return self._found

    def read(self) -> Observed[K] | None:
        keys = self.output
        return Observed(id=keys.id, output=keys)


@dataclass(frozen=True)
class IssuedKey:
    """A key as the platform lists it, without its secret.

    `usable` is False for one that is revoked, inactive or expired but still listed.
    `ends` is None for one that lasts. `owner` is its locator, where the platform has
    room for one; else it is of whom the issuer asks for (an account of ours).
    """

    access_key: str
    usable: bool = True
    ends: datetime | None = None
    owner: Install | None = None


class KeyIssuer(Protocol):
    """How a platform makes and ends keys. Raises `CloudFailure`s of the provider's own."""

    def keys(self) -> Sequence[IssuedKey]:
        """All keys of this install, usable or not. Raises `NotYetKnown` while that which
        they belong to does not exist. Never writes."""
        ...

    def issue(self) -> S3Keys:
        """Make one. Never repeated blindly: a second would be nobody's."""
        ...

    def revoke(self, access_key: str) -> None:
        """End one and return once the store no longer takes it; already gone is success."""
        ...

    def wait_usable(self, keys: S3Keys) -> None:
        """Return once the store takes a new key, which may be seconds after it was made."""
        ...


class IssuedKeys(KeysResource[S3Keys]):
    """One key that this tool had issued, and no other beside it.

    The platform tells the secret once, so the Secret in the cluster is where it lives.
    A key whose secret the cluster does not have is of no use to anybody: it is revoked
    and another is issued. So is one that soon ends; the old one of those stays until
    its end, because what runs still uses it.
    """

    kind: ClassVar[str] = "storage-access-key"
    credentials = S3Keys

    def __init__(
        self,
        install: Install,
        issuer: KeyIssuer,
        *,
        key: str,
        title: str = "access key of the object store",
        needs: Sequence[Resource[Any]] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(key=key, title=title, install=install, needs=needs)
        self._issuer = issuer
        self._now = now

    @property
    def output(self) -> S3Keys:
        """The key that will be in use: not known while another is about to be issued."""
        if self.observed is None or self._to_be_replaced(self.observed):
            raise NotYetKnown(self)
        return self.observed.output

    def read(self) -> Observed[S3Keys] | None:
        try:
            found = tuple(self._issuer.keys())
        except NotYetKnown:
            return None
        if not found:
            return None
        kept = self.kept()
        ours = next((item for item in found if kept and item.access_key == kept.access_key), None)
        if kept is not None and ours is not None:
            return self._observed(kept, found)
        return self._observed(S3Keys(found[0].access_key, ""), found)

    def _observed(self, keys: S3Keys, found: tuple[IssuedKey, ...]) -> Observed[S3Keys]:
        return Observed(id=keys.access_key, output=keys, owner=self.install, state=found)

    def diff(self, observed: Observed[S3Keys]) -> Sequence[FieldChange]:
        changes = []
        if why := self._to_be_replaced(observed):
            changes.append(FieldChange("access key", f"{observed.id}, {why}", "a new one"))
        return changes + [
            FieldChange("superfluous access key", item.access_key, None)
            for item in self._dead(observed)
            if item.access_key != observed.id
        ]

    def _to_be_replaced(self, observed: Observed[S3Keys]) -> str:
        """Why the key in use is not to stay; empty when it is."""
        found: tuple[IssuedKey, ...] = observed.state
        current = next(item for item in found if item.access_key == observed.id)
        if not observed.output.secret:
            return "whose secret the cluster does not have"
        if not current.usable:
            return "no longer valid"
        return "soon to end" if self._ends_soon(current) else ""

    def _dead(self, observed: Observed[S3Keys]) -> list[IssuedKey]:
        """Keys of no use to anybody: no longer valid, or their secret is not in the cluster.

        One that soon ends may have been replaced lately; pods that run still have it.
        """
        found: tuple[IssuedKey, ...] = observed.state
        kept = observed.id if observed.output.secret else None
        replaced = kept is not None
        return [
            item
            for item in found
            if not item.usable
            or (item.access_key != kept and not (replaced and self._ends_soon(item)))
        ]

    def _ends_soon(self, item: IssuedKey) -> bool:
        return item.ends is not None and item.ends - self._now() < RENEWED_BEFORE

    def create(self) -> Observed[S3Keys]:
        found = self.read()
        if found is not None:
            return self.update(found, ())
        return self._issue(())

    def update(
        self, observed: Observed[S3Keys], changes: Sequence[FieldChange]
    ) -> Observed[S3Keys]:
        del changes  # what is there decides, whatever it was called
        # The dead go first: platforms limit how many there may be.
        dead = self._dead(observed)
        for item in dead:
            self._issuer.revoke(item.access_key)
        left = tuple(item for item in observed.state if item not in dead)
        if not self._to_be_replaced(observed):
            return self._observed(observed.output, left)
        return self._issue(left)

    def _issue(self, beside: tuple[IssuedKey, ...]) -> Observed[S3Keys]:
        keys = self._issuer.issue()
        return self._observed(keys, (*beside, IssuedKey(keys.access_key)))

    def delete(self, observed: Observed[S3Keys]) -> None:
        for item in observed.state:
            self._issuer.revoke(item.access_key)

    def ready(self, observed: Observed[S3Keys]) -> Observed[S3Keys]:
        if observed.output.secret:
            self._issuer.wait_usable(observed.output)
        return observed
