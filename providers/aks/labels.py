"""Names that AKS gives to labels and annotations. They are the same in every cloud."""

from __future__ import annotations

SERVICE_ACCOUNT_ANNOTATION = "azure.workload.identity/client-id"
AGENT_POOL = "kubernetes.azure.com/agentpool"
ACCELERATOR = "kubernetes.azure.com/accelerator"
GPU_PRODUCT = "nvidia.com/gpu.product"
PRIORITY = "kubernetes.azure.com/scalesetpriority"
SPOT = "spot"
_SERVICE = "service.beta.kubernetes.io/azure-"
INTERNAL = f"{_SERVICE}load-balancer-internal"
SUBNET = f"{_SERVICE}load-balancer-internal-subnet"
PROBE_PATH = f"{_SERVICE}load-balancer-health-probe-request-path"
ADDRESS_TAGS = f"{_SERVICE}pip-tags"
