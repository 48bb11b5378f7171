"""What is to be known of an S3 store to speak to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import Pattern

from anyscale_k8s_cli.cloud_side import Storage
from anyscale_k8s_cli.spec import Addressing, Checksums

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
AMAZONS_NAMES = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class S3Store:
    """One store. `title` is what people call it.

    `endpoint` is a bare origin; empty is Amazon S3 itself. `location` is what
    CreateBucket must say, None where it must say nothing. `has_cors` is False where
    the store is known to have no such call; else it is tried, and a refusal is told
    as a warning. `key_seconds` is how long a new key may be unknown to the store.
    `names` are the bucket names that it takes.
    """

    title: str
    endpoint: str
    region: str
    addressing: Addressing = Addressing.PATH
    checksums: Checksums = Checksums.WHEN_REQUIRED
    location: str | None = None
    has_cors: bool = True
    key_seconds: float = 10.0
    names: Pattern[str] = AMAZONS_NAMES

    def storage(self, bucket: str) -> Storage:
        """A bucket in it, as the control plane and the chart want it."""
        return Storage(
            f"s3://{bucket}", self.region, self.endpoint, self.addressing, self.checksums
        )
