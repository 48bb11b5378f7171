"""Emptying a bucket: what S3 refuses to delete is told, and nothing is pretended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.object_storage import Tally
from anyscale_k8s_cli.providers.eks import bucket_contents, codes
from anyscale_k8s_cli.providers.eks.sdk.objects import Objects, Upload, Version
from anyscale_k8s_cli.run import Run


class Locked:
    """A bucket with two versions, one of which is under a lock."""

    def versions(self) -> Iterator[list[Version]]:
        yield [Version("free", "1", 5), Version("locked", "2", 7)]
        yield [Version("free", "0", marker=True)]

    def delete_versions(self, versions: Sequence[Version]) -> list[str]:
        return [f"{item.key}: AccessDenied" for item in versions if item.key == "locked"]

    def uploads(self) -> list[Upload]:
        raise AssertionError("what cannot be emptied is left alone")


def objects() -> Objects:
    return cast(Any, Locked())


def test_versions_are_counted_and_markers_are_not() -> None:
    assert bucket_contents.count(objects()) == Tally(2, 12)


def test_what_is_locked_is_told() -> None:
    with pytest.raises(errors.CliError) as raised:
        bucket_contents.remove_all(objects(), Run(), "data")

    assert raised.value.code is codes.BUCKET_NOT_EMPTIED
    assert raised.value.cause == "S3 refused to delete 1 of 2 versions"
    assert raised.value.evidence == ("locked: AccessDenied",)
