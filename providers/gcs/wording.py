"""What a user may say of a bucket of Google's: offline, in the words of the options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from anyscale_k8s_cli.install import MARK_PREFIX

# https://cloud.google.com/storage/docs/buckets#naming
BUCKET_NAME = re.compile(r"(?!goog)(?!.*g[o0]{2}g[l1]e)[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
# https://cloud.google.com/resource-manager/docs/labels-overview
LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
# A bucket takes 64 labels, and ours are ten.
MOST_OF_USERS = 54


def bucket_name(given: str) -> str:
    """The name in what a user calls a bucket: a name or `gs://name`; empty if in none."""
    name = given.removeprefix("gs://").rstrip("/")
    return name if BUCKET_NAME.fullmatch(name) else ""


def wrong_tags(given: Mapping[str, str]) -> Iterator[str]:
    """What cannot be a bucket's label, a line each."""
    for key, value in given.items():
        if key.startswith(f"{MARK_PREFIX}-"):
            yield f"--tag: {key}={value}: keys that begin with {MARK_PREFIX}- are this tool's own"
        if not (LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value)):
            yield (
                f"--tag: {key}={value} is no label of Google Cloud: lower-case letters, digits, "
                "dashes and underscores, 63 at most, the key beginning with a letter"
            )
    if len(given) > MOST_OF_USERS:
        yield f"--tag: {len(given)} are too many: a bucket takes {MOST_OF_USERS} beside ours"
