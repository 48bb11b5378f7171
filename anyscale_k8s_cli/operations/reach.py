"""Who reaches Anyscale's control plane: this machine, a pod, and the cluster's API server."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.checks import Finding, Status
from anyscale_k8s_cli.controlplane.client import ControlPlane

# Three networks, three ways out: each has a check of its own.
_APART = (
    "from here: it answers",
    "from a pod: asked by --probe (pod-egress)",
    "from the cluster's API server: asked by verify (operator-webhook)",
)


def from_here(plane: ControlPlane) -> Finding:
    """Whether this machine is answered; what tells of the other two is in the evidence."""
    try:
        plane.server_time()
    except errors.CliError as problem:
        if problem.code is not errors.CONTROL_PLANE_UNREACHABLE:
            raise
        detail = f"{problem}: {problem.cause}" if problem.cause else str(problem)
        return Finding(Status.FAIL, detail, problem.evidence, problem.fix)
    return Finding(Status.PASS, plane.host, _APART)
