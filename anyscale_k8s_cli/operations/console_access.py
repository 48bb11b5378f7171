"""What the console needs of the bucket: the control plane's use of it, and CORS."""

from __future__ import annotations

from functools import partial

from anyscale_k8s_cli.checks import BoundCheck, Finding, Status, declared, passed
from anyscale_k8s_cli.controlplane.clouds import Clouds
from anyscale_k8s_cli.controlplane.origin import console_origin
from anyscale_k8s_cli.controlplane.proof import BucketProof, ProofStep, prove_bucket
from anyscale_k8s_cli.operations.behind import Behind
from anyscale_k8s_cli.parallel import Once


def console_checks(behind: Behind, clouds: Clouds) -> tuple[BoundCheck, ...]:
    """One proof answers both. It leaves one small object in the bucket."""
    proof = Once(partial(_prove, behind, clouds))
    stored = behind.wiring.stored if behind.wiring else ()
    return (
        declared.STORAGE_CONSOLE.bind(lambda: _console(proof(), behind.again)),
        declared.STORAGE_CORS.bind(lambda: _cors(proof(), behind), stored),
    )


def _prove(behind: Behind, clouds: Clouds) -> BucketProof:
    assert behind.resource is not None, "asked of a registration only"  # noqa: S101
    return prove_bucket(
        clouds,
        behind.cloud.id,
        console_origin(clouds.plane.host),
        resource_id=behind.resource.cloud_resource_id,
    )


def _console(proof: BucketProof, again: str) -> Finding:
    if not proof.supported:
        return Finding(Status.UNKNOWN, proof.reason)
    if proof.failed in (None, ProofStep.CORS):
        return passed(proof.object_uri)
    return Finding(Status.FAIL, proof.reason, proof.evidence, again)


def _cors(proof: BucketProof, behind: Behind) -> Finding:
    if proof.failed is None and proof.supported:
        return passed(proof.origin)
    if proof.failed is not ProofStep.CORS:
        return Finding(Status.UNKNOWN, f"not asked: {proof.reason}")
    if behind.wiring is not None and not behind.wiring.admits_console:
        detail = "the store has no CORS call: logs and files do not open in the console"
        return Finding(Status.WARN, detail, proof.evidence)
    return Finding(Status.FAIL, proof.reason, proof.evidence, behind.again)
