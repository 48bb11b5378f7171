"""Which policy denies, by AWS's own words for it, and where one looks at it."""

from __future__ import annotations

from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.eks.arns import Arn

KMS = "KMS."
_DISABLED = ("KMS.DisabledException", "KMS.KMSInvalidStateException")


def advice(failure: CloudFailure, role_arn: str, bucket: str, boundary: str = "") -> str:
    """What to look at when the role may not use the bucket. `boundary` is the role's, if known.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    said, role = failure.cause, Arn.parse(role_arn).name
    if failure.api_code.startswith(KMS):
        key = f"aws s3api get-bucket-encryption --bucket {bucket}"
        mend = "enable it" if failure.api_code in _DISABLED else "let the role use it"
        return f"{key}\nit shows the key; {mend}: aws kms enable-key, aws kms put-key-policy"
    if "kms:" in said:
        return (
            f"aws s3api get-bucket-encryption --bucket {bucket}\nit shows the key, whose policy "
            f"must allow {role_arn} kms:GenerateDataKey and kms:Decrypt"
        )
    if "resource-based policy" in said:
        return (
            f"aws s3api get-bucket-policy --bucket {bucket} --query Policy --output text\n"
            "take the statement out that denies it"
        )
    if "permissions boundary" in said:
        look = f"aws iam get-role --role-name {role} --query Role.PermissionsBoundary"
        if boundary:
            look = f"aws iam get-policy --policy-arn {boundary}"
        return f"{look}\nthe owner of this boundary must allow in it what is denied"
    if "service control policy" in said or "resource control policy" in said:
        return "ask whoever keeps your organisation's control policies to allow this"
    return (
        "look at the role's policies and boundary, the bucket's policy, the policy of its KMS key, "
        "and the rules of your organisation"
    )
