"""A project as whoever has a service account's key file, or is signed in on this machine: for
clusters that are not Google's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.credential_kinds import GoogleKey
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.install import Install, has_labels_of, lower_case_labels
from anyscale_k8s_cli.object_storage import BucketProof
from anyscale_k8s_cli.providers.gcs.bucket import UID_LABEL
from anyscale_k8s_cli.providers.gcs.sdk.failures import ABSENT
from anyscale_k8s_cli.providers.gcs.sdk.objects import Objects
from anyscale_k8s_cli.providers.gcs.sdk.session import Session
from anyscale_k8s_cli.providers.gcs.sdk.storage import BucketState, Storage
from anyscale_k8s_cli.run import Run

# On the project, to make a bucket and to see whose one is; on a bucket, to use it.
PROJECT_ROLE = "roles/storage.admin"
BUCKET_ROLES = ("roles/storage.objectAdmin", "roles/storage.legacyBucketReader")
_ACTIONS = {
    "put": "storage.objects.create",
    "get": "storage.objects.get",
    "list": "storage.objects.list",
    "delete": "storage.objects.delete",
}
# Seconds that a role which was just granted may not be in force yet.
_PATIENCE = 10.0


class KeyedProject:
    """Implements :class:`~anyscale_k8s_cli.providers.gcs.bucket.Project`.

    The key is asked for at the first call; one without a text stands for whoever is signed
    in on this machine. Safe for threads.
    """

    def __init__(self, run: Run, key: Callable[[], GoogleKey]) -> None:
        self._run = run
        self._key = key
        self._lock = threading.Lock()
        self._made: tuple[GoogleKey, Session] | None = None

    @property
    def run(self) -> Run:
        return self._run

    @property
    def project(self) -> str:
        return self._key().project

    @property
    def storage(self) -> Storage:
        return Storage(self._session)

    @property
    def endpoint(self) -> str:
        """Where Google's storage is for the key."""
        return self._session.endpoint("storage")

    def objects(self, bucket: str, token: str | None = None) -> Objects:
        """As whoever has the key, or as the bearer of an access token."""
        return Objects(self._session, bucket, token)

    def labels(self, install: Install, users: Mapping[str, str]) -> dict[str, str]:
        """What our bucket carries."""
        return {**users, **lower_case_labels(install, {"cluster": install.cluster})}

    def owns(self, bucket: str, state: BucketState) -> bool:
        """By the project's own list: a key often may not ask for the project's number."""
        return bucket in {name for name, _ in self.storage.labels(bucket)}

    def owner(self, labels: Mapping[str, str], install: Install) -> Install | None:
        if not has_labels_of(labels, install):
            return None
        return replace(install, cluster_uid=labels.get(UID_LABEL, ""))

    def raise_not_allowed(self, failure: CloudFailure) -> None:
        key = self._key()
        raise errors.CliError(
            errors.FORBIDDEN,
            f"{self._name} may not make a bucket in the project {key.project}",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=f"{self._grant_on_project}, or have a bucket made and name it with --bucket",
        ) from failure

    def prove(self, bucket: str) -> None:
        """Put, get, list and delete, whole and in parts. Raises `bucket-denied`."""
        proof = BucketProof(
            self.run,
            bucket,
            _PATIENCE,
            lambda verb, failure: self._denied(bucket, verb, failure),
            missing=lambda failure: failure.api_code == ABSENT,
        )
        proof.whole_and_in_parts(self.objects(bucket))

    # -- before anything is made ------------------------------------------------------------

    def check_project(self, bucket: str) -> None:
        """Raise what stands against a bucket of ours, as far as reading can tell."""
        try:
            list(self.storage.labels(bucket))
        except CloudFailure as failure:
            if failure.denied:
                self.raise_not_allowed(failure)
            raise

    def check_bucket(self, bucket: str) -> None:
        """Raise what stands against a use of the user's own bucket. One that is not there is
        told by others."""
        wanted = ("storage.buckets.get", *_ACTIONS.values())
        held = self.storage.held(bucket, wanted)
        lacking = [action for action in wanted if held is not None and action not in held]
        if lacking:
            raise errors.CliError(
                errors.BUCKET_DENIED,
                f"{self._name} may not {', '.join(lacking)} in the bucket {bucket}",
                fix=self._grant_on(bucket),
            )

    # -- parts ---------------------------------------------------------------------------

    @property
    def _session(self) -> Session:
        """One for all calls; a new one when the key is another."""
        key = self._key()
        with self._lock:
            if self._made is None or self._made[0] != key:
                role = f"; {PROJECT_ROLE} on the project has it"
                self._made = (key, Session(self.run, key.project, key=key.text or None, role=role))
            return self._made[1]

    def _denied(self, bucket: str, verb: str, failure: CloudFailure) -> errors.CliError:
        return errors.CliError(
            errors.BUCKET_DENIED,
            f"{self._name} may not {_ACTIONS[verb]} in the bucket {bucket}",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=self._grant_on(bucket),
        )

    @property
    def _name(self) -> str:
        return self._key().email or "you"

    @property
    def _member(self) -> str:
        email = self._key().email
        return f"serviceAccount:{email}" if email else "user:<your e-mail>"

    @property
    def _grant_on_project(self) -> str:
        key = self._key()
        return (
            f"gcloud projects add-iam-policy-binding {key.project} "
            f"--member={self._member} --role={PROJECT_ROLE}"
        )

    def _grant_on(self, bucket: str) -> str:
        member = f"--member={self._member}"
        return " && ".join(
            f"gcloud storage buckets add-iam-policy-binding gs://{bucket} {member} --role={role}"
            for role in BUCKET_ROLES
        )
