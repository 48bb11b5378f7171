"""Names that EKS and the controllers in its clusters give to labels, annotations and classes.

They are names of Kubernetes and the same in every partition, although they
look like addresses.
"""

from __future__ import annotations

ROLE_ANNOTATION = "eks.amazonaws.com/role-arn"

# EKS Pod Identity: who assumes roles for pods, and the add-on that hands their keys out.
POD_IDENTITY_SERVICE = "pods.eks.amazonaws.com"
POD_IDENTITY_AGENT = "eks-pod-identity-agent"

# What EKS gives to a pod when it is made, by which the SDKs find its role's keys.
IRSA_VARIABLE = "AWS_WEB_IDENTITY_TOKEN_FILE"
POD_IDENTITY_VARIABLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"

NODE_GROUP = "eks.amazonaws.com/nodegroup"
CAPACITY_TYPE = "eks.amazonaws.com/capacityType"
SPOT = "SPOT"
KARPENTER_CAPACITY_TYPE = "karpenter.sh/capacity-type"
KARPENTER_SPOT = "spot"
GPU_PRODUCT = "nvidia.com/gpu.product"

LOAD_BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"
AUTO_MODE_CLASS = "eks.amazonaws.com/nlb"
CONTROLLER_CLASS = "service.k8s.aws/nlb"

# Tags by which the controllers know the load balancers of a cluster; the name of
# the cluster is the value, but for the oldest, where it is part of the key.
# https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/
CONTROLLER_CLUSTER_TAG = "elbv2.k8s.aws/cluster"
AUTO_MODE_CLUSTER_TAG = "eks:eks-cluster-name"
IN_TREE_CLUSTER_TAG = "kubernetes.io/cluster/"

SUBNET_ROLE_PUBLIC = "kubernetes.io/role/elb"
SUBNET_ROLE_INTERNAL = "kubernetes.io/role/internal-elb"
