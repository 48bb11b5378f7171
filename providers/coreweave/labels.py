"""Names that CoreWeave gives to labels and annotations in clusters."""

from __future__ import annotations

# On every node of a CKS cluster; https://docs.coreweave.com/products/cks/nodes
PREFIXES = ("node.coreweave.cloud/", "compute.coreweave.com/")
CLASS = "node.coreweave.cloud/class"
GPU_CLASS = "gpu"
LOAD_BALANCER_TYPE = "service.beta.kubernetes.io/coreweave-load-balancer-type"
PUBLIC = "public"
