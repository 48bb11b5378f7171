"""How the gateway's Service asks for a Network Load Balancer, and who will answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import Notice
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.provider import ClusterReader, LoadBalancer
from anyscale_k8s_cli.providers.eks import codes, labels, tags
from anyscale_k8s_cli.providers.eks.discovery import EksFacts
from anyscale_k8s_cli.providers.eks.sdk.network import Network
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import CloudSpec
from anyscale_k8s_cli.troubles import Cause, Trouble

CONTROLLER = "AWS Load Balancer Controller"
AUTO_MODE = "EKS Auto Mode"
IN_TREE = "the cluster's built-in AWS cloud provider"
# What all three say when they cannot. The first that fits counts.
TROUBLES = (
    Trouble(
        Cause.ADDRESSES,
        r"not enough IP|insufficient (free )?IP|InsufficientFreeAddresses"
        r"|at least \d+ free IP",
        "free addresses in these subnets (a load balancer needs 8 in each), or name others with "
        "--lb-subnet",
    ),
    Trouble(
        Cause.SUBNETS,
        r"unable to (resolve|discover) at least one subnet|couldn't auto-discover subnets"
        r"|could not find any suitable subnets|InvalidSubnet|SubnetNotFound"
        r"|multiple subnets? in same Availability Zone",
        "tag the subnets with kubernetes.io/role/elb=1 (kubernetes.io/role/internal-elb=1 for "
        "--expose internal), or name them with --lb-subnet",
    ),
    Trouble(
        Cause.QUOTA,
        r"TooMany(LoadBalancers|TargetGroups|Listeners|Tags)|LimitExceeded",
        "have the limit raised in Service Quotas, or delete load balancers that nobody uses",
    ),
    Trouble(
        Cause.POLICY,
        r"service control policy|explicit deny",
        "ask whoever keeps the organisation's policies to allow the call that it names",
    ),
    Trouble(
        Cause.RIGHTS,
        r"AccessDenied|UnauthorizedOperation|is not authorized to perform",
        "let the role that it names do what it names: the AWS Load Balancer Controller's policy is "
        "in its documentation",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"multiple tagged security groups|expected exactly one securityGroup tagged",
        "leave the cluster's tag on one security group of the nodes alone",
    ),
    Trouble(
        Cause.NOT_UNDERSTOOD,
        r"InvalidConfigurationRequest|UnsupportedConfiguration|ValidationError"
        r"|failed to parse|invalid .*annotation|conflicting",
        "correct what network.annotations say",
    ),
)
# AWS takes 50 tags on a load balancer; the controllers set three or four themselves.
MOST_TAGS = 45


def load_balancer(
    spec: CloudSpec, facts: EksFacts, install: Install, reader: ClusterReader, run: Run
) -> LoadBalancer:
    """What the Service must carry for whoever serves Services in this cluster.

    Raises `eks-load-balancer-tags` for tags that an annotation cannot carry.
    """
    controller = _controller(reader)
    if controller is None and not facts.auto_mode and spec.rules.tags:
        run.emit(
            Notice(
                level="warning",
                text=f"{IN_TREE} tags a load balancer only after it has made it: a rule that "
                "demands tags at creation would deny it. The AWS Load Balancer Controller "
                "tags at creation.",
            )
        )
    asked = _asked(spec, facts, controller, tags.own(install, spec.rules.tags))
    return replace(asked, unmarked=_asked(spec, facts, controller, spec.rules.tags).annotations)


def _asked(
    spec: CloudSpec,
    facts: EksFacts,
    controller: Mapping[str, Any] | None,
    wanted_tags: Mapping[str, str],
) -> LoadBalancer:
    wanted = _common(spec, wanted_tags)
    internal = spec.network.expose == "internal"
    if controller is not None:
        return LoadBalancer(
            served_by=CONTROLLER,
            annotations=_prefixed(
                {
                    "type": "external",
                    # Works with any network plugin; `ip` with Amazon's own alone.
                    "nlb-target-type": "instance",
                    "scheme": "internal" if internal else "internet-facing",
                    "cross-zone-load-balancing-enabled": "true",
                    **wanted,
                },
                spec.network.annotations,
            ),
            decisive=(f"{labels.LOAD_BALANCER}scheme",),
            # Where both are there, a Service without a class is Auto Mode's.
            load_balancer_class=labels.CONTROLLER_CLASS if facts.auto_mode else None,
            source_ranges=spec.network.allow_cidrs,
            deployment="{namespace}/{name}".format(**controller["metadata"]),
            troubles=TROUBLES,
        )
    if facts.auto_mode:
        return LoadBalancer(
            served_by=AUTO_MODE,
            annotations=_prefixed(
                {"scheme": "internal" if internal else "internet-facing", **wanted},
                spec.network.annotations,
            ),
            decisive=(f"{labels.LOAD_BALANCER}scheme",),
            load_balancer_class=labels.AUTO_MODE_CLASS,
            source_ranges=spec.network.allow_cidrs,
            troubles=TROUBLES,
        )
    return LoadBalancer(
        served_by=IN_TREE,
        annotations=_prefixed(
            {
                "type": "nlb",
                **({"internal": "true"} if internal else {}),
                # Not its word. But a controller that was not seen takes every Service
                # over, and makes internal ones unless it is told otherwise.
                "scheme": "internal" if internal else "internet-facing",
                **wanted,
            },
            spec.network.annotations,
        ),
        source_ranges=spec.network.allow_cidrs,
        troubles=TROUBLES,
    )


def unlike(network: Network, asked: LoadBalancer, address: str) -> str:
    """How the load balancer at an address is not as asked for, in words that follow its name."""
    wanted = asked.annotations.get(f"{labels.LOAD_BALANCER}scheme")
    try:
        there = network.load_balancers()
    except CloudFailure as failure:
        if failure.denied:
            return ""
        raise
    found = next((item.scheme for item in there if item.dns_name.lower() == address.lower()), "")
    return f"is {found}, and is to be {wanted}" if wanted and found not in ("", wanted) else ""


def _controller(reader: ClusterReader) -> dict[str, Any] | None:
    """The Deployment of the AWS Load Balancer Controller, by its usual name or its label."""
    usual = reader.get("apps/v1", "Deployment", "aws-load-balancer-controller", "kube-system")
    if usual is not None:
        return usual
    # A chart's release of another name makes other names; the label is always the same.
    selector = "app.kubernetes.io/name=aws-load-balancer-controller"
    return next(iter(reader.list("apps/v1", "Deployment", label_selector=selector)), None)


def _common(spec: CloudSpec, wanted_tags: Mapping[str, str]) -> dict[str, str]:
    found = {}
    if wanted_tags:
        found["additional-resource-tags"] = _tag_annotation(wanted_tags)
    if spec.network.load_balancer_subnets:
        found["subnets"] = ",".join(spec.network.load_balancer_subnets)
    return found


def _tag_annotation(wanted: Mapping[str, str]) -> str:
    for key, value in wanted.items():
        if "," in key or "=" in key or "," in value:
            raise errors.CliError(
                codes.LOAD_BALANCER_TAGS,
                f"The tag {key}={value} cannot be put on a load balancer",
                cause="the annotation that carries tags separates them by commas and '='",
                fix="give --tag another key or value",
            )
    if len(wanted) > MOST_TAGS:
        raise errors.CliError(
            codes.LOAD_BALANCER_TAGS,
            f"{len(wanted)} tags are too many for a load balancer",
            cause=f"{MOST_TAGS} fit beside those of the controller, "
            f"{len(wanted) - MOST_TAGS} fewer must do",
            fix="give fewer --tag",
        )
    return ",".join(f"{key}={value}" for key, value in wanted.items())


def _prefixed(ours: Mapping[str, str], users: Mapping[str, str]) -> dict[str, str]:
    """The user's own annotations win."""
    return {**{labels.LOAD_BALANCER + key: value for key, value in ours.items()}, **users}
