"""One account and region as this provider uses it: all of its services behind one session."""

from __future__ import annotations

from functools import cached_property

from anyscale_k8s_cli.providers.eks.arns import Caller
from anyscale_k8s_cli.providers.eks.sdk.account import AccountWide
from anyscale_k8s_cli.providers.eks.sdk.eks import Eks
from anyscale_k8s_cli.providers.eks.sdk.iam import Iam
from anyscale_k8s_cli.providers.eks.sdk.network import Network
from anyscale_k8s_cli.providers.eks.sdk.objects import Objects
from anyscale_k8s_cli.providers.eks.sdk.s3 import S3
from anyscale_k8s_cli.providers.eks.sdk.session import Session, TemporaryKeys
from anyscale_k8s_cli.providers.eks.sdk.sts import Sts
from anyscale_k8s_cli.run import Run


class Aws:
    """Safe for threads. Raises `cloud-credentials-missing` when there is nobody to be."""

    def __init__(self, run: Run, profile: str | None = None, region: str | None = None) -> None:
        self.run = run
        self.session = Session(run, profile=profile, region=region)
        self.sts = Sts(self.session)
        self.eks = Eks(self.session)
        self.iam = Iam(self.session)
        self.network = Network(self.session)
        self.account = AccountWide(self.session)

    @cached_property
    def caller(self) -> Caller:
        """Who we are; asked once."""
        caller = self.sts.caller()
        self.session.principal = caller.arn
        return caller

    @cached_property
    def s3(self) -> S3:
        """Buckets of the caller's account."""
        return S3(self.session, self.caller.account)

    @property
    def region(self) -> str:
        return self.session.region

    @property
    def audience(self) -> str:
        """For whom EKS makes the tokens that pods assume roles with.

        A fixed name and no address: EKS uses that of the first partition in all
        of them (https://github.com/eksctl-io/eksctl/pull/1912).
        """
        return f"sts.{self.session.first_dns_suffix()}"

    def objects(self, bucket: str) -> Objects:
        """The contents of a bucket of ours."""
        return Objects(self.session, bucket, self.caller.account)

    def objects_as(self, role_arn: str, keys: TemporaryKeys, bucket: str) -> Objects:
        """The same, seen with the keys of an assumed role."""
        session = Session(self.run, region=self.region, keys=keys, principal=role_arn)
        return Objects(session, bucket, self.caller.account)
