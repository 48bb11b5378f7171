"""What the objects in AWS are there for. No SDK is imported here."""

from __future__ import annotations

from anyscale_k8s_cli.purpose import Fate, Purpose

PURPOSES = (
    Purpose(
        "s3-bucket",
        "aws:s3-bucket/<name>",
        "S3 bucket",
        "Logs, artifacts and the code of jobs are kept in it.",
        "Jobs do not start, and all that was in it is lost.",
        Fate.KEPT,
    ),
    Purpose(
        "iam-oidc-provider",
        "aws:iam-oidc-provider/<issuer>",
        "IAM OIDC provider",
        "It lets IAM believe the tokens that the cluster gives its service accounts.",
        "No pod of the cluster can assume a role by its token, those of others neither.",
        Fate.SHARED,
    ),
    Purpose(
        "iam-role",
        "aws:iam-role/<name>",
        "IAM role of the operator",
        "The operator and Ray's pods assume it, and may use the one bucket with it.",
        "The operator is not known at Anyscale any more, and nothing gets into the bucket.",
    ),
    Purpose(
        "iam-role",
        "aws:iam-role/<name>-workloads",
        "IAM role of Ray's pods",
        "With --workload-identity separate Ray's pods use the bucket by it, and cannot be taken "
        "for the operator.",
        "No job gets into the bucket; the operator goes on.",
    ),
    Purpose(
        "pod-identity-association",
        "aws:pod-identity-association/<cluster>/<namespace>/anyscale-workloads",
        "EKS Pod Identity of the service account of Ray's pods",
        "By it EKS gives Ray's pods the role of their own, where IRSA is not used.",
        "Ray's pods that are made from then on have no role, and do not get into the bucket.",
    ),
    Purpose(
        "pod-identity-association",
        "aws:pod-identity-association/<cluster>/<namespace>/anyscale-operator",
        "EKS Pod Identity of the operator's service account",
        "By it EKS gives the pods of that account the role, where IRSA is not used.",
        "Pods that are made from then on have no role: the operator is the node's, or nobody.",
    ),
    Purpose(
        "load-balancer",
        "aws:load-balancer/<name>",
        "load balancer that was left",
        "AWS made it for the Gateway; a teardown finds it where the cluster is gone.",
        "Nothing breaks: it leads nowhere, and costs by the hour.",
    ),
)
