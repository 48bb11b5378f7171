"""Cloud Storage: what is in a bucket."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from anyscale_k8s_cli.parallel import side_by_side
from anyscale_k8s_cli.providers.gcs.sdk.session import TIMEOUT, Session
from anyscale_k8s_cli.providers.gcs.sdk.storage import client


@dataclass(frozen=True)
class Version:
    """One generation of an object; `size` in bytes."""

    key: str
    generation: int
    size: int


class Objects:
    """The contents of one bucket, seen as the session's user or with another's token."""

    def __init__(self, session: Session, bucket: str, token: str | None = None) -> None:
        self._session = session
        self._bucket = bucket
        self._token = token

    def versions(self) -> Iterator[list[Version]]:
        """Every generation, page by page; none of a bucket that is not there."""
        token: str | None = None
        while True:
            found = self._session.find("storage.objects.list", partial(self._page, token))
            if found is None:
                return
            page, token = found
            yield page
            if not token:
                return

    def _page(self, token: str | None) -> tuple[list[Version], str | None]:
        listed = self._client.list_blobs(
            self._bucket, versions=True, page_token=token, timeout=TIMEOUT, retry=None
        )
        items = next(listed.pages, ())
        page = [Version(item.name, int(item.generation), int(item.size or 0)) for item in items]
        return page, listed.next_page_token

    def delete_versions(self, versions: Sequence[Version]) -> None:
        side_by_side(*(partial(self._delete, item.key, item.generation) for item in versions))

    def put(self, key: str, content: bytes) -> None:
        self._session.ask(
            "storage.objects.create",
            lambda: self._blob(key).upload_from_string(content, timeout=TIMEOUT, retry=None),
        )

    def put_in_parts(self, key: str, content: bytes) -> None:
        """As a resumable upload, which is how SDKs write what is large."""
        self._session.ask(
            "storage.objects.create",
            # Without a size the SDK cannot know that it would fit into one call.
            lambda: self._blob(key).upload_from_file(
                io.BytesIO(content), timeout=TIMEOUT, retry=None
            ),
        )

    def get(self, key: str) -> bytes:
        found: bytes = self._session.ask(
            "storage.objects.get",
            lambda: self._blob(key).download_as_bytes(timeout=TIMEOUT, retry=None),
        )
        return found

    def keys(self, prefix: str) -> list[str]:
        listed: list[Any] = self._session.ask(
            "storage.objects.list",
            lambda: list(
                self._client.list_blobs(self._bucket, prefix=prefix, timeout=TIMEOUT, retry=None)
            ),
        )
        return [str(item.name) for item in listed]

    def remove(self, key: str) -> None:
        self._session.find(
            "storage.objects.delete", lambda: self._blob(key).delete(timeout=TIMEOUT, retry=None)
        )

    def _delete(self, key: str, generation: int) -> None:
        blob = self._client.bucket(self._bucket).blob(key, generation=generation)
        self._session.find(
            "storage.objects.delete", lambda: blob.delete(timeout=TIMEOUT, retry=None)
        )

    def _blob(self, key: str) -> Any:
        return self._client.bucket(self._bucket).blob(key)

    @cached_property
    def _client(self) -> Any:
        return client(self._session, self._token)
