"""Proof that a cloud works: the operator's report, and the control plane's use of the bucket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.models import DecoratedCloudResource
from anyscale_k8s_cli.controlplane.origin import console_origin
from anyscale_k8s_cli.controlplane.proof import BucketProof, ProofStep, prove_bucket
from anyscale_k8s_cli.registration import Registration
from anyscale_k8s_cli.run import Run, StillWaiting

HEALTHY = "HEALTHY"
UNHEALTHY = "UNHEALTHY"
DISCONNECTED = "DISCONNECTED"
UNKNOWN = "UNKNOWN"

# The chart's default, `operator.config.status.reportInterval`.
REPORT_INTERVAL = timedelta(seconds=30)
# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_KEYS_ENDED = " ExpiredToken"


@dataclass(frozen=True)
class Health:
    """What the control plane holds of our operator."""

    verdict: str
    version: str
    reported_at: datetime | None
    checks: tuple[tuple[str, str, str], ...]

    @property
    def failing(self) -> tuple[str, ...]:
        """The operator's own words for each check that is not healthy."""
        return tuple(
            f"{name}: {details or status}"
            for name, status, details in self.checks
            if status not in ("HEALTHY", "UNSPECIFIED")
        )


def health_of(resource: DecoratedCloudResource | None) -> Health:
    """The health in a resource as it was read; UNKNOWN without a resource or a report."""
    if resource is None:
        return Health(UNKNOWN, "", None, ())
    details = resource.operator_status_details
    status = resource.operator_status or ""
    verdict = status if status in (HEALTHY, UNHEALTHY, DISCONNECTED) else UNKNOWN
    checks = tuple(
        (item.name, item.status, item.details or "")
        for item in (details.check_results if details else ())
    )
    version = (details.operator_version if details else "") or ""
    return Health(verdict, version, resource.reported_at, checks)


def last_report(clouds: Clouds, registration: Registration, name: str) -> datetime:
    """When the operator reported last, as the control plane saw it; long ago if it never did.

    What comes after it was sent after this look: no clock has to be read for that.
    """
    reported = health_of(clouds.find_resource(registration.cloud_id, name)).reported_at
    return reported or datetime.min.replace(tzinfo=UTC)


def wait_healthy(
    clouds: Clouds, registration: Registration, name: str, since: datetime, run: Run, seconds: float
) -> Health:
    """Wait for a healthy report that is newer than `since`, by the control plane's clock.

    Raises `operator-unhealthy` with the operator's own words after `seconds`.
    """

    def probe() -> Health:
        health = health_of(clouds.find_resource(registration.cloud_id, name))
        if health.reported_at is None or health.reported_at <= since:
            raise StillWaiting("no report since the last change")
        if health.verdict != HEALTHY:
            raise StillWaiting("; ".join(health.failing) or health.verdict)
        return health

    return run.wait_for(
        probe,
        what="a healthy report of the operator",
        timeout=seconds,
        every=3.0,
        expired=lambda seen: _unhealthy(clouds, registration, name, seen),
    )


def _unhealthy(clouds: Clouds, registration: Registration, name: str, seen: str) -> errors.CliError:
    health = health_of(clouds.find_resource(registration.cloud_id, name))
    return errors.CliError(
        errors.OPERATOR_UNHEALTHY,
        f"The control plane says {health.verdict} of the operator",
        cause=seen,
        evidence=health.failing,
        fix="mend what the operator names, then run the same command again",
        details={"health": health.verdict},
    )


def prove_storage(clouds: Clouds, registration: Registration, *, cors: bool = True) -> BucketProof:
    """Let the control plane write and read the bucket, and ask as its console would.

    Where it works with keys of the operator that have just ended, new ones are waited for. Raises
    `storage-unreachable` that tells which of the steps failed. Without `cors` the console cannot
    be let in, and that it is not is no failure.
    """

    def look() -> BucketProof:
        return prove_bucket(
            clouds,
            registration.cloud_id,
            console_origin(clouds.plane.host),
            resource_id=registration.cloud_resource_id,
        )

    def with_new_keys() -> BucketProof:
        found = look()
        if _keys_ended(found):
            raise StillWaiting(found.evidence[0])
        return found

    proof = look()
    if _keys_ended(proof):
        proof = clouds.run.wait_for(
            with_new_keys,
            what="new keys for the bucket, which come with the operator's next report",
            timeout=2 * REPORT_INTERVAL.total_seconds(),
            every=3.0,
            expired=lambda _: _unreachable(proof, registration),
        )
    if proof.failed is None or (proof.failed is ProofStep.CORS and not cors):
        return proof
    raise _unreachable(proof, registration)


def _keys_ended(proof: BucketProof) -> bool:
    """Whether S3 has refused keys that were good once, by its own word for it."""
    return proof.failed is not None and any(line.endswith(_KEYS_ENDED) for line in proof.evidence)


def _unreachable(proof: BucketProof, registration: Registration) -> errors.CliError:
    fixes = {
        ProofStep.URL: f"anyscale cloud status --cloud-id {registration.cloud_id}\n"
        "the operator must be healthy for this",
        ProofStep.CORS: "run setup again: it restores the bucket's CORS rule",
    }
    step = proof.failed or ProofStep.URL
    return errors.CliError(
        errors.STORAGE_UNREACHABLE,
        "The control plane cannot use the bucket",
        cause=proof.reason,
        evidence=proof.evidence,
        fix=fixes.get(step, "check the bucket and the role's policy, then run setup again"),
        details={"step": step.value},
    )
