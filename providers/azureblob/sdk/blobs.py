"""Blob storage: what is in a container."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from anyscale_k8s_cli.object_storage import Tally
from anyscale_k8s_cli.providers.azureblob.sdk.session import Calls

_KIND = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
# What a token for blobs is for, of any account in any cloud.
AUDIENCE = "https://storage.azure.com/.default"
READ, WRITE, DELETE = (f"{_KIND}/{verb}" for verb in ("read", "write", "delete"))


class Blobs:
    """The contents of one container, with a credential of Entra's or an account's key."""

    def __init__(self, session: Calls, endpoint: str, container: str, proof: Any) -> None:
        self._session = session
        self._endpoint = endpoint
        self._name = container
        self._proof = proof

    def tally(self) -> Tally:
        """How many objects there are, and how big they are."""
        tally = Tally()
        pages = self._container.list_blobs().by_page()
        while (page := self._session.ask(READ, lambda: next(pages, None))) is not None:
            for item in page:
                tally.add(item.name, int(item.size or 0))
        return tally

    def put(self, key: str, content: bytes) -> None:
        self._session.ask(WRITE, lambda: self._container.upload_blob(key, content, overwrite=True))

    def put_in_parts(self, key: str, content: bytes) -> None:
        """As a list of one block, which is how SDKs write what is large."""
        from azure.storage.blob import BlobBlock

        block = "MDAwMA=="

        def write() -> None:
            blob = self._container.get_blob_client(key)
            blob.stage_block(block, content)
            blob.commit_block_list([BlobBlock(block)])

        self._session.ask(WRITE, write)

    def get(self, key: str) -> bytes:
        found: bytes = self._session.ask(READ, lambda: self._container.download_blob(key).readall())
        return found

    def keys(self, prefix: str) -> list[str]:
        return self._session.ask(
            READ, lambda: [str(item.name) for item in self._container.list_blobs(prefix)]
        )

    def remove(self, key: str) -> None:
        self._session.find(DELETE, lambda: self._container.delete_blob(key))

    @cached_property
    def _container(self) -> Any:
        from azure.storage.blob import ContainerClient

        return ContainerClient(
            self._endpoint, self._name, credential=self._proof, **self._session.manner
        )
