"""Amazon EKS, on boto3 alone.

Belongs here: what is particular to EKS and the AWS services around it, in one
file per part of the provider contract. Every call to AWS is in `sdk`; every
IAM document is in `templates/eks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyscale_k8s_cli.providers.eks.provider import EksProvider

__all__ = ["EksProvider"]


def __getattr__(name: str) -> type[EksProvider]:
    """The provider, and with it the SDK, once it is asked for: its checks are known without."""
    if name != "EksProvider":
        raise AttributeError(name)
    from anyscale_k8s_cli.providers.eks.provider import EksProvider

    return EksProvider
