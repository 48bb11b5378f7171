"""A bucket of Google's that pods reach through a workload identity pool: no key is anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.credential_kinds import GooglePool
from anyscale_k8s_cli.object_storage import BucketProof
from anyscale_k8s_cli.providers.federation import google
from anyscale_k8s_cli.providers.federation.proof import SETTLED_WITHIN, TokenProof, denied_to
from anyscale_k8s_cli.providers.federation.sdk.session import Session
from anyscale_k8s_cli.providers.gcs.keyed import BUCKET_ROLES, KeyedProject
from anyscale_k8s_cli.providers.gcs.sdk.failures import ABSENT
from anyscale_k8s_cli.spec import CloudSpec, ExistingSpec

# Where Google's own command line is told that an API is elsewhere.
_OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"


def wrong_words(existing: ExistingSpec) -> Iterator[str]:
    """What cannot lead to a pool, a line each."""
    email, provider = existing.identity, existing.identity_provider
    if provider and not google.provider_name(provider):
        yield (
            f"--identity-provider: {provider!r} is no provider of a pool of Google's, "
            "projects/<number>/locations/global/workloadIdentityPools/<pool>/providers/<name>"
        )
    if email and not google.EMAIL.fullmatch(email):
        yield f"--identity: {email!r} is no service account's e-mail"
    if email and not provider:
        yield (
            "--identity: Google admits the cluster by a provider of a workload identity pool; "
            "name it with --identity-provider"
        )
    if provider and not email:
        yield (
            "--identity-provider: name a service account with --identity: a pool's principals by "
            "themselves cannot sign the addresses by which Anyscale's console reads the bucket"
        )


def access_of(existing: ExistingSpec) -> GooglePool | None:
    """What was said of a pool; None where nothing was."""
    if not existing.identity_provider:
        return None
    return GooglePool(
        google.provider_name(existing.identity_provider),
        existing.identity or "",
        _address("sts") or "https://sts.googleapis.com",
        _address("iamcredentials") or "https://iamcredentials.googleapis.com",
    )


def audience_of(existing: ExistingSpec, access: GooglePool) -> str:
    return existing.identity_audience or google.default_audience(access.provider)


def proof(
    project: KeyedProject, spec: CloudSpec, access: GooglePool, bucket: str
) -> TokenProof[str]:
    """The exchange, and the bucket used with what comes of it."""
    patience = min(SETTLED_WITHIN, spec.timeouts.identity)
    audience = audience_of(spec.existing, access)
    exchange = google.PoolExchange(Session(project.run), access, audience)

    def use(token: str, _: Claimed) -> None:
        member = f"serviceAccount:{access.email}"
        bindings = json.dumps([{"role": role, "members": [member]} for role in BUCKET_ROLES])
        fix = f"add to the IAM policy of the bucket the bindings {bindings}"
        BucketProof(
            project.run,
            bucket,
            patience,
            denied_to(exchange.identity, bucket, fix),
            missing=lambda failure: failure.api_code == ABSENT,
        )(project.objects(bucket, token))

    return TokenProof(project.run, audience, exchange, f"gs://{bucket}", use, patience)


def _address(service: str) -> str:
    return os.environ.get(f"{_OVERRIDE}{service.upper()}", "").rstrip("/")
