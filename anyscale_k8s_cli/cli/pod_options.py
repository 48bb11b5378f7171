"""Options of what pods get: where they go, where images come from, how they get out.

The annotations are evaluated as they stand (no `from __future__`), because
Typer reads them.
"""

from typing import Annotated

from anyscale_k8s_cli.cli.options import PODS, Sets, option

NodeSelector = Annotated[
    list[str] | None,
    option(
        "--node-selector",
        panel=PODS,
        metavar="KEY=VALUE",
        help="Label of the nodes that pods go to; the GPU plugin goes where GPUs are. Repeatable.",
    ),
    Sets("pods.node_selector"),
]

Toleration = Annotated[
    list[str] | None,
    option(
        "--toleration",
        panel=PODS,
        metavar="KEY[=VALUE][:EFFECT]",
        help="Taint that pods tolerate, as kubectl writes it. Repeatable.",
    ),
    Sets("pods.tolerations"),
]

PodLabel = Annotated[
    list[str] | None,
    option("--pod-label", panel=PODS, metavar="KEY=VALUE", help="Label for every pod. Repeatable."),
    Sets("pods.labels"),
]

PodAnnotation = Annotated[
    list[str] | None,
    option(
        "--pod-annotation",
        panel=PODS,
        metavar="KEY=VALUE",
        help="Annotation for every pod. Repeatable.",
    ),
    Sets("pods.annotations"),
]

ImageRegistry = Annotated[
    str | None,
    option(
        "--image-registry",
        panel=PODS,
        metavar="HOST[/PATH]",
        help="Take all images from this registry, in place of their own host.",
    ),
    Sets("pods.image_registry"),
]

ImagePullSecret = Annotated[
    list[str] | None,
    option(
        "--image-pull-secret",
        panel=PODS,
        metavar="NAME",
        help="Secret that is there in each namespace, with which nodes log in at the "
        "registry. Repeatable.",
    ),
    Sets("pods.image_pull_secrets"),
]

HttpProxy = Annotated[
    str | None,
    option(
        "--http-proxy",
        panel=PODS,
        metavar="URL",
        help="Proxy of the pods that speak to the outside, for http.",
    ),
    Sets("pods.http_proxy"),
]

HttpsProxy = Annotated[
    str | None,
    option("--https-proxy", panel=PODS, metavar="URL", help="The same for https."),
    Sets("pods.https_proxy"),
]

NoProxy = Annotated[
    list[str] | None,
    option(
        "--no-proxy",
        panel=PODS,
        metavar="HOST,…",
        help="Hosts and networks to reach without it; those of the cluster are added.",
    ),
    Sets("pods.no_proxy"),
]

CaBundle = Annotated[
    str | None,
    option(
        "--ca-bundle",
        panel=PODS,
        metavar="FILE",
        help="Certificates of all authorities that the operator and the tool's own pods trust.",
    ),
    Sets("pods.ca_bundle"),
]
