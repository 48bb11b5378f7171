"""Amazon EKS, on boto3 alone.

Belongs here: what is particular to EKS and the AWS services around it, in one
file per part of the provider contract. Every call to AWS is in `sdk`; every
IAM document is in `templates/eks`.
"""

from anyscale_k8s_cli.providers.eks.provider import EksProvider

__all__ = ["EksProvider"]
