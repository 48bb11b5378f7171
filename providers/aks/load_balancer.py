"""How the gateway's Service asks for a load balancer: the cluster's cloud controller serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import LoadBalancer
from anyscale_k8s_cli.providers.aks import codes, labels, tags
from anyscale_k8s_cli.providers.aks.sdk.network import Frontend
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.troubles import Cause, Trouble

# What Azure's cloud controller says when it cannot. The first that fits counts.
TROUBLES = (
    Trouble(
        Cause.QUOTA,
        r"PublicIPCountLimitReached|IPv4\w*PublicIP\w*Limit|LimitReached|QuotaExceeded"
        r"|(PublicIP|LoadBalancer)\w*LimitExceeded|StandardSkuPublicIPCountLimit",
        "have the subscription's limit of public addresses raised in the region, or delete "
        "addresses that nobody uses",
    ),
    Trouble(
        Cause.ADDRESSES,
        r"SubnetIsFull|SubnetNotEnough|PrivateIPAddress(IsAllocated|NotInSubnet|InReservedRange)",
        "free addresses in the subnet, or name another with --lb-subnet",
    ),
    Trouble(
        Cause.POLICY,
        r"RequestDisallowedByPolicy|ScopeLocked|ReadOnlyDisabledSubscription",
        "ask whoever keeps the policy or lock that it names to let this pass",
    ),
    Trouble(
        Cause.RIGHTS,
        r"AuthorizationFailed|LinkedAuthorizationFailed|does not have authorization",
        "make the cluster's identity Network Contributor on the subnet that it names:\n"
        "az role assignment create --role 'Network Contributor' --assignee IDENTITY --scope SUBNET",
    ),
    Trouble(
        Cause.SUBNETS,
        r"subnets?/?[^ ]* .*(not ?found|was not found)|InvalidResourceReference.*subnet"
        r"|failed to get subnet|ensure.*subnet.*not exist",
        "name a subnet of the cluster's virtual network with --lb-subnet",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"InvalidTagCharacters|InvalidParameter|InvalidRequestFormat|DnsRecordInUse"
        r"|BadRequest|not supported",
        "correct what network.annotations, or --tag, say",
    ),
)
# The controller puts three of its own beside them.
MOST_TAGS = tags.MOST_TAGS - 3


def load_balancer(spec: CloudSpec, install: Install) -> LoadBalancer:
    """Public ones have an address with our tags; internal ones can be in a subnet of their own.

    Raises `aks-load-balancer-tags` for tags that an annotation cannot carry.
    """
    wanted = spec.rules.tags
    asked = _asked(spec, tags.own(install, wanted) if install.cluster else wanted)
    return replace(asked, unmarked=_asked(spec, wanted).annotations)


def _asked(spec: CloudSpec, wanted_tags: Mapping[str, str]) -> LoadBalancer:
    network = spec.network
    internal = network.expose == "internal"
    annotations = {labels.INTERNAL: "true" if internal else "false"}
    if network.kind == "nginx":
        # It answers Azure's probes nowhere else.
        annotations[labels.PROBE_PATH] = "/healthz"
    if internal and network.load_balancer_subnets:
        annotations[labels.SUBNET] = network.load_balancer_subnets[0]
    if not internal and wanted_tags:
        annotations[labels.ADDRESS_TAGS] = _tag_annotation(wanted_tags)
    return LoadBalancer(
        served_by="AKS",
        annotations={**annotations, **network.annotations},
        decisive=(labels.INTERNAL,),
        source_ranges=network.allow_cidrs,
        troubles=TROUBLES,
    )


def unlike(frontends: Callable[[], Iterable[Frontend]], asked: LoadBalancer, address: str) -> str:
    """How the load balancer at an address is not as asked for, in words that follow its name."""
    try:
        there = list(frontends())
    except errors.CloudFailure as failure:
        if failure.denied:
            return ""
        raise
    wanted = asked.annotations.get(labels.INTERNAL) != "true"
    found = next((item.public for item in there if address in item.names), wanted)
    if found == wanted:
        return ""
    return "is public, and is to be internal" if found else "is internal, and is to be public"


def _tag_annotation(wanted: Mapping[str, str]) -> str:
    for key, value in wanted.items():
        if "," in key or "=" in key or "," in value:
            raise errors.CliError(
                codes.ADDRESS_TAGS_UNFIT,
                f"The tag {key}={value} cannot be put on a load balancer's address",
                cause="the annotation that carries tags separates them by commas and '='",
                fix="give --tag another key or value",
            )
    if len(wanted) > MOST_TAGS:
        raise errors.CliError(
            codes.ADDRESS_TAGS_UNFIT,
            f"{len(wanted)} tags are too many for a load balancer's address",
            cause=f"Azure takes {tags.MOST_TAGS}, and the cluster puts three of its own there",
            fix="give fewer --tag",
        )
    return ",".join(f"{key}={value}" for key, value in wanted.items())
