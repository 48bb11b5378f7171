"""Names that GKE gives to labels and annotations. They are the same in every universe."""

from __future__ import annotations

SERVICE_ACCOUNT_ANNOTATION = "iam.gke.io/gcp-service-account"
# Both, since controllers of different ages look for different ones.
LOAD_BALANCER_TYPE = ("networking.gke.io/load-balancer-type", "cloud.google.com/load-balancer-type")
INTERNAL = "Internal"

NODE_POOL = "cloud.google.com/gke-nodepool"
ACCELERATOR = "cloud.google.com/gke-accelerator"
# https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms
SPOT = "cloud.google.com/gke-spot"
