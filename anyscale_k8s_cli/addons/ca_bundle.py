"""The authorities that the operator trusts besides: the user's own, in a ConfigMap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anyscale_k8s_cli.addons.context import ClusterContext
from anyscale_k8s_cli.addons.pod_settings import CA_BUNDLE, CA_FILE
from anyscale_k8s_cli.cluster.documents import Reference
from anyscale_k8s_cli.cluster.objects import KubernetesObject
from anyscale_k8s_cli.resource import Claim, Resource


def ca_bundle(
    context: ClusterContext, needs: Sequence[Resource[Any]]
) -> tuple[KubernetesObject, ...]:
    """Where the user has given one, and in a teardown."""
    if context.spec.pods.ca_bundle is None and not context.teardown:
        return ()
    return (_object(context, needs, Claim.OWN),)


def unused_bundle(
    context: ClusterContext, needs: Sequence[Resource[Any]]
) -> tuple[KubernetesObject, ...]:
    """That of an earlier setup where the user gives none any more: it goes.

    Reads whether it is there.
    """
    if context.spec.pods.ca_bundle is not None or context.teardown:
        return ()
    unused = _object(context, needs, Claim.DROP)
    found = unused.read()
    ours = found is not None and found.owner is not None and found.owner.id == context.install.id
    return (unused,) if ours else ()


def _object(
    context: ClusterContext, needs: Sequence[Resource[Any]], claim: Claim
) -> KubernetesObject:
    bundle = context.spec.pods.ca_bundle
    reference = Reference("v1", "ConfigMap", CA_BUNDLE, context.install.namespace)

    def manifest() -> Mapping[str, Any]:
        metadata = {"name": reference.name, "namespace": reference.namespace}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {CA_FILE: bundle or ""},
        }

    return KubernetesObject(
        context.surroundings,
        reference,
        manifest,
        title="Authorities to trust",
        needs=needs,
        claim=claim,
    )
