"""Resources of one kind, kept as the messages by which the API shows them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import grpc

from anyscale_k8s_cli.sandbox.nebius import refusals
from anyscale_k8s_cli.sandbox.nebius.refusals import Quota, Refused

Clock = Callable[[], datetime]

# As far as anybody who runs into them needs to know.
_LABEL = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_.-]{0,63}")
_MOST_LABELS = 64
_PAGE = 10


class Message(Protocol):
    """What all resources have: metadata, and a specification."""

    metadata: Any
    spec: Any

    def SerializeToString(self) -> bytes: ...


R = TypeVar("R", bound=Message)


@dataclass
class Collection(Generic[R]):
    """`kind` begins every id, `most` is the quota of one parent, `named` whether names count.

    `make` is the class of the messages.
    """

    kind: str
    title: str
    make: Any
    clock: Clock
    most: int = 0
    named: bool = True
    items: dict[str, R] = field(default_factory=dict)

    def create(self, metadata: Any, spec: Any, parent: str, item_id: str = "") -> R:
        """A new resource. Raises Refused for a name that is taken, labels, and the quota."""
        name = metadata.name
        if self.named and name and self.by_name(parent, name) is not None:
            raise refusals.exists(self.title, name)
        siblings = len(self.of_parent(parent))
        if self.most and siblings >= self.most:
            raise Refused(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"Quota limit exceeded: {self.title} count {siblings + 1} of {self.most}",
                Quota(f"{self.kind}.count", self.most, siblings + 1),
            )
        check_labels(metadata.labels)
        asked = self.make(metadata=metadata, spec=spec)
        # A copy: what the caller holds is the caller's.
        item: R = self.make.FromString(asked.SerializeToString())
        item.metadata.id = item_id or f"{self.kind}-e00{secrets.token_hex(7)}"
        item.metadata.parent_id = parent
        item.metadata.name = name or item.metadata.id
        item.metadata.created_at = item.metadata.updated_at = self.clock()
        item.metadata.resource_version = 1
        self.items[item.metadata.id] = item
        return item

    def update(self, item_id: str, metadata: Any, spec: Any) -> R:
        """Replace labels and specification, as the SDK asks with the mask that it sends.

        Raises Refused when the resource has changed since the version in the metadata.
        """
        item = self.get(item_id)
        version = item.metadata.resource_version
        if metadata.resource_version not in (0, version):
            raise Refused(
                grpc.StatusCode.ABORTED,
                f"{self.title} {item_id}: version {metadata.resource_version} is not {version}",
            )
        check_labels(metadata.labels)
        item.spec = spec
        item.metadata.labels = dict(metadata.labels)
        item.metadata.resource_version = version + 1
        item.metadata.updated_at = self.clock()
        return item

    def get(self, item_id: str) -> R:
        if item_id not in self.items:
            raise refusals.not_found(self.title, item_id)
        return self.items[item_id]

    def by_name(self, parent: str, name: str) -> R | None:
        return next((item for item in self.of_parent(parent) if item.metadata.name == name), None)

    def named_or_refused(self, parent: str, name: str) -> R:
        found = self.by_name(parent, name)
        if found is None:
            raise refusals.not_found(self.title, name)
        return found

    def of_parent(self, parent: str) -> list[R]:
        return [item for item in self.items.values() if item.metadata.parent_id == parent]

    def delete(self, item_id: str) -> R:
        found = self.get(item_id)
        del self.items[item_id]
        return found


def page(found: Iterable[R], request: Any) -> tuple[list[R], str]:
    """One page of a list, and the token of the next. Pages are short: nobody may rely on one."""
    everything = sorted(found, key=lambda item: str(item.metadata.id))
    start = int(request.page_token or 0)
    end = start + min(request.page_size or _PAGE, _PAGE)
    return everything[start:end], str(end) if end < len(everything) else ""


def check_labels(labels: Any) -> None:
    if len(labels) > _MOST_LABELS:
        raise refusals.invalid(f"labels: {len(labels)} are too many")
    for key, value in labels.items():
        if not (_LABEL.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            raise refusals.invalid(f"labels: {key}={value} is no valid label")
