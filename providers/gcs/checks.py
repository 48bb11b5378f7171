"""Checks of a bucket that is entered by a key file, before anything is made. They only read.

What only a write can show is shown by the bucket's proof by use.
"""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck
from anyscale_k8s_cli.parallel import Once
from anyscale_k8s_cli.providers.gcs import codes
from anyscale_k8s_cli.providers.gcs.keyed import KeyedProject
from anyscale_k8s_cli.providers.objectstore import declared
from anyscale_k8s_cli.providers.objectstore.asked import Looked


def checks(project: KeyedProject, bucket: str, *, adopted: bool) -> list[BoundCheck]:
    """`adopted` is a bucket of the user's own, in which the key needs rights on it alone."""
    look = project.check_bucket if adopted else project.check_project
    looked = Looked(Once(partial(look, bucket)), codes.GCP_UNREACHABLE)
    return [
        declared.STORE_UNREACHABLE.bind(looked.reached),
        declared.STORE_KEYS_DENIED.bind(looked.admitted),
    ]
