"""One project as this provider uses it: all of its services behind one session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeVar

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.providers.gcs.sdk.objects import Objects
from anyscale_k8s_cli.providers.gcs.sdk.session import Session
from anyscale_k8s_cli.providers.gcs.sdk.storage import BucketState, Storage
from anyscale_k8s_cli.providers.gke import tags
from anyscale_k8s_cli.providers.gke.sdk.compute import Compute
from anyscale_k8s_cli.providers.gke.sdk.container import Container
from anyscale_k8s_cli.providers.gke.sdk.credentials import Credentials
from anyscale_k8s_cli.providers.gke.sdk.iam import Iam, email_of
from anyscale_k8s_cli.providers.gke.sdk.projects import Projects
from anyscale_k8s_cli.run import Run

T = TypeVar("T")
U = TypeVar("U")

_ROLE = "; `anyscale cloud permissions --provider gke` prints the whole role"


class Google:
    """Safe for threads. Raises `cloud-credentials-missing` when there is nobody to be.

    It is a `gcs.bucket.Project`, in which the operator's own identity proves that it may use
    a bucket (`proof.py`).
    """

    def __init__(self, run: Run, project: str, impersonate: str | None = None) -> None:
        self.run = run
        self.project = project
        self.session = Session(run, project, impersonate, role=_ROLE)
        self.container = Container(self.session)
        self.iam = Iam(self.session)
        self.storage = Storage(self.session)
        self.projects = Projects(self.session)
        self.credentials = Credentials(self.session)
        self.compute = Compute(self.session)

    @cached_property
    def project_number(self) -> str:
        """Asked once. By it buckets say whose they are."""
        return self.projects.number()

    def email(self, account_id: str) -> str:
        """The e-mail of a service account of the project."""
        return email_of(account_id, self.project)

    def objects(self, bucket: str, token: str | None = None) -> Objects:
        """The contents of a bucket, as ourselves or with somebody else's token."""
        return Objects(self.session, bucket, token)

    def owns(self, bucket: str, state: BucketState) -> bool:
        return state.project_number == self.project_number

    def owner(self, labels: Mapping[str, str], install: Install) -> Install | None:
        return tags.owner(labels, install)

    def raise_not_allowed(self, failure: CloudFailure) -> None:
        return

    def prove(self, bucket: str) -> None:
        return


def may_see(look: Callable[[], T], otherwise: U) -> T | U:
    """What is there, or something else for who may not look."""
    try:
        return look()
    except CloudFailure as failure:
        if not failure.denied:
            raise
        return otherwise
