"""Names of what an install consists of, where several modules need them."""

from anyscale_k8s_cli.holders import OPERATOR, WORKLOADS

GATEWAY = "gateway"

OPERATOR_CHART = "anyscale-operator"
OPERATOR_RELEASE = "anyscale-operator"
INGRESS_RELEASE = "ingress-nginx"
# What the operator's chart takes for its Ingresses where nobody names a class.
USUAL_CLASS = "nginx"
# The chart's own default, which trust policies name.
SERVICE_ACCOUNT = OPERATOR.account
# Of Ray's pods, where they have an identity of their own.
WORKLOAD_ACCOUNT = WORKLOADS.account
