"""The Gateway API's definitions and Envoy Gateway's own.

Clusters often have the Gateway API already, from the platform or another tool.
What is there and good enough is used; what somebody manages is never written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from anyscale_k8s_cli.addons.belonging import goes_with
from anyscale_k8s_cli.addons.context import ClusterContext
from anyscale_k8s_cli.cluster.definitions import Definitions, DefinitionSet
from anyscale_k8s_cli.cluster.documents import Document, Documents
from anyscale_k8s_cli.parallel import Once
from anyscale_k8s_cli.resource import Claim, Unfit

CHART = "gateway-crds-helm"
GATEWAY_API = "gateway.networking.k8s.io"
ENVOY_GATEWAY = "gateway.envoyproxy.io"

# In the first bundle with `v1` of all that we and the operator use.
# https://gateway-api.sigs.k8s.io/concepts/versioning/
MINIMUM_BUNDLE = (1, 0)
_BUNDLE = f"{GATEWAY_API}/bundle-version"


def gateway_definitions(context: ClusterContext) -> tuple[Definitions, Definitions]:
    """GatewayClass, Gateway, HTTPRoute and ReferenceGrant; and EnvoyProxy with what is beside it.

    Both are shared resources, out of one chart, which is rendered once.
    """
    version = context.charts.pinned_version(CHART)
    is_older = partial(context.charts.is_older, CHART)
    pinned = Once(lambda: _rendered(context, version))

    def of(group: str) -> Callable[[str], Sequence[Document]]:
        def render(wanted: str) -> Sequence[Document]:
            found = pinned() if wanted == version else _rendered(context, wanted)
            return [item for item in found if item.get("spec", {}).get("group") == group]

        return render

    api = DefinitionSet(
        group=GATEWAY_API,
        required=("gateways", "gatewayclasses", "httproutes", "referencegrants"),
        render=of(GATEWAY_API),
        version=version,
        is_older=is_older,
        judge=too_old,
    )
    envoy = DefinitionSet(
        group=ENVOY_GATEWAY,
        required=("envoyproxies",),
        render=of(ENVOY_GATEWAY),
        version=version,
        is_older=is_older,
        judge=any_version,
    )
    return (
        _definitions(context, api, "Gateway API definitions"),
        _definitions(context, envoy, "Envoy Gateway's definitions"),
    )


def too_old(found: Documents) -> tuple[Unfit, ...]:
    """Whether definitions of others are of a bundle that is too old."""
    for item in found:
        metadata = item["metadata"]
        bundle = (metadata.get("annotations") or {}).get(_BUNDLE)
        if bundle is None:
            continue
        if _version(bundle) < MINIMUM_BUNDLE:
            wanted = ".".join(map(str, MINIMUM_BUNDLE))
            return (
                Unfit(
                    f"the cluster has the Gateway API {bundle}, and v{wanted} is needed at least; "
                    "we did not install it and do not change it",
                    "upgrade it with whatever installed it (its definitions carry the annotation "
                    f"{_BUNDLE})",
                ),
            )
    return ()


def any_version(found: Documents) -> tuple[Unfit, ...]:
    """These have one version, `v1alpha1`; how old they may be is judged by their controller."""
    del found
    return ()


def _definitions(context: ClusterContext, wanted: DefinitionSet, title: str) -> Definitions:
    # With --network-crds never they are the user's business, like whatever else
    # a user names: they must be there and are not touched.
    never = context.spec.network.crds == "never"
    return Definitions(
        context.surroundings,
        wanted,
        title=title,
        claim=Claim.ADOPT if never else Claim.SHARE,
        upgrade=context.upgrade,
        ours=goes_with(context.install),
    )


def _rendered(context: ClusterContext, version: str) -> Sequence[Document]:
    values = {
        "crds": {
            "gatewayAPI": {"enabled": True, "channel": "standard"},
            "envoyGateway": {"enabled": True},
        }
    }
    archive = context.run.await_(context.charts.fetch(CHART, version))
    return context.run.await_(
        context.helm.template(CHART, "default", archive, values, include_crds=True)
    )


def _version(text: str) -> tuple[int, ...]:
    head = text.removeprefix("v").split("-")[0]
    return tuple(int(part) if part.isdigit() else 0 for part in head.split("."))
