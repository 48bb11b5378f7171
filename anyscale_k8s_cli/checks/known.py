"""The codes of all checks that a setup can waive, of whichever platform and cluster.

Which of them run depends on both; a waiver of another's may stand in a file that many share.
"""

CODES = frozenset(
    {
        "aks-gpu-labels",
        "aks-workload-identity",
        "aws-bucket-quota",
        "aws-kms-key",
        "aws-load-balancer-quota",
        "aws-permissions",
        "aws-role-quota",
        "azure-permissions",
        "azure-providers",
        "cluster-reachable",
        "cluster-rights",
        "cluster-version",
        "coreweave-policy-denies",
        "eks-subnet-tags",
        "eks-subnets-named",
        "gcp-apis",
        "gcp-kms-key",
        "gcp-permissions",
        "gke-pool-metadata",
        "gke-workload-identity",
        "instance-types-fit",
        "namespace-pod-security",
        "nebius-gpu-claims",
        "nebius-gpu-drivers",
        "oke-gpu-addon",
        "operator-capacity",
        "operator-token",
        "store-checksum-refused",
        "store-cors-unsupported",
        "store-keys-denied",
        "store-path-style-refused",
        "store-signing-region",
        "store-unreachable",
        "store-virtual-host-refused",
    }
)
