"""What it means that an object is gone, and what to say of one that will not go."""

from __future__ import annotations

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.access import ClusterAccess
from anyscale_k8s_cli.cluster.documents import Document, Reference
from anyscale_k8s_cli.run import StillWaiting


def gone(found: Document | None, uid: str | None) -> None:
    """Raise `StillWaiting` while the object (of that uid) is there."""
    if found is None or (uid is not None and found["metadata"]["uid"] != uid):
        return
    raise StillWaiting("; ".join(holding(found)) or "still there")


def holding(found: Document) -> list[str]:
    """What keeps an object that is being deleted: finalizers, and a namespace's conditions."""
    metadata = found["metadata"]
    names = metadata.get("finalizers") or found.get("spec", {}).get("finalizers") or []
    lines = [f"finalizer {name}" for name in names]
    # Conditions of a namespace that ends; True is the trouble.
    lines += [
        f"{condition.get('type')}: {condition['message']}"
        for condition in found.get("status", {}).get("conditions") or []
        if condition.get("status") == "True" and condition.get("message")
    ]
    return lines


def stuck(access: ClusterAccess, reference: Reference, found: Document | None) -> errors.CliError:
    """The error for an object whose deletion does not end."""
    held = holding(found) if found else []
    finalizers = [line for line in held if line.startswith("finalizer ")]
    where = f" -n {reference.namespace}" if reference.namespace else ""
    look = access.kubectl(f"get {reference.kind.lower()} {reference.name}{where} -o yaml")
    return errors.CliError(
        errors.LEFTOVERS,
        f"{reference} is not gone",
        cause=f"held by {', '.join(finalizers)}" if finalizers else "its deletion has not ended",
        evidence=tuple(held),
        fix=f"see what holds it: {look}; finalizers are never removed for you. "
        "Then run the same command again",
    )
