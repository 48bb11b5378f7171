"""A role that is assumed with a token of a cluster that AWS knows nothing of but its issuer."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.providers.federation import aws as federation
from anyscale_k8s_cli.providers.federation import codes
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.sandbox.aws.standin import AwsStandIn
from tests.issuer import OPERATOR, Issuer

AUDIENCE = "sts.amazonaws.com"
BUCKET = "team-data"
_SDK = boto3.session.Session(region_name="us-west-2")


@dataclass
class Account:
    """Its owner's hands: a role for one bucket, and what admits the cluster to it."""

    url: str
    issuer: Issuer

    def client(self, service: str) -> Any:
        return _SDK.client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def provider(self) -> str:
        return self.issuer.url.removeprefix("https://")

    def admit(self, issuer: str, audience: str = AUDIENCE) -> None:
        self.client("iam").create_open_id_connect_provider(
            Url=issuer, ClientIDList=[audience], ThumbprintList=["0" * 40]
        )

    def role(self, trust: dict[str, Any], actions: tuple[str, ...] = ("s3:*",)) -> str:
        iam = self.client("iam")
        made = iam.create_role(RoleName="ray", AssumeRolePolicyDocument=document(trust))
        use = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        iam.put_role_policy(RoleName="ray", PolicyName="use", PolicyDocument=document(use))
        return str(made["Role"]["Arn"])

    def trust(self, **claims: str) -> dict[str, Any]:
        """A trust statement for claims of the issuer's tokens."""
        number = self.client("sts").get_caller_identity()["Account"]
        conditions = {f"{self.provider}:{name}": value for name, value in claims.items()}
        return {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{number}:oidc-provider/{self.provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": conditions},
        }


def document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def account(aws: AwsStandIn, issuer: Issuer) -> Account:
    return Account(os.environ["AWS_ENDPOINT_URL"], issuer)


def proof(run: Run, account: Account, role: str) -> federation.WebIdentityProof:
    store = S3Store("Amazon S3", account.url, "us-west-2")
    # Here nothing takes time to be known everywhere.
    return federation.WebIdentityProof(run, store, role, BUCKET, AUDIENCE, patience=0)


def refused(run: Run, account: Account, role: str) -> errors.CliError:
    with pytest.raises(errors.CliError) as caught:
        proof(run, account, role)(lambda audience: account.issuer.token(audience=audience))
    return caught.value


def test_what_the_trust_admits_uses_the_bucket(run: Run, account: Account) -> None:
    account.admit(account.issuer.url)
    role = account.role(account.trust(sub=OPERATOR, aud=AUDIENCE))
    lines = proof(run, account, role)(lambda audience: account.issuer.token(audience=audience))
    assert len(lines) == 2
    assert OPERATOR in lines[0]


def test_an_issuer_that_the_account_does_not_know_is_told_with_all_it_needs(
    run: Run, account: Account
) -> None:
    role = account.role(account.trust(sub=OPERATOR, aud=AUDIENCE))
    problem = refused(run, account, role)
    assert problem.code is codes.FEDERATION_REFUSED
    assert f"URL {account.issuer.url}, client id {AUDIENCE}" in problem.fix


def test_another_audience_names_the_client_id_to_add(run: Run, account: Account) -> None:
    account.admit(account.issuer.url, "somebody-else")
    problem = refused(run, account, account.role(account.trust(sub=OPERATOR)))
    assert problem.code is codes.FEDERATION_REFUSED
    assert f"add the client id {AUDIENCE}" in problem.fix


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "system:serviceaccount:other:anyscale-operator", "aud": AUDIENCE},
        {"sub": OPERATOR, "aud": "somebody-else"},
    ],
)
def test_the_statement_that_is_told_is_the_one_that_helps(
    run: Run, account: Account, claims: dict[str, str]
) -> None:
    account.admit(account.issuer.url)
    role = account.role(account.trust(**claims))
    problem = refused(run, account, role)
    assert f"its subject is {OPERATOR}" in problem.evidence
    told = json.loads(problem.fix[problem.fix.index("{") :])
    account.client("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=document(told))
    assert proof(run, account, role)(lambda audience: account.issuer.token(audience=audience))


def test_an_issuer_that_nobody_can_read_is_told_apart(
    run: Run, account: Account, issuer: Issuer
) -> None:
    account.admit("https://127.0.0.1:1")
    hidden = Issuer("https://127.0.0.1:1", issuer.key, AUDIENCE)
    role = account.role(account.trust(sub=OPERATOR))
    with pytest.raises(errors.CliError) as caught:
        proof(run, account, role)(lambda _: hidden.token())
    assert "can be read from the internet" in caught.value.fix


def test_a_role_that_may_not_write_is_told_so(run: Run, account: Account) -> None:
    account.admit(account.issuer.url)
    role = account.role(account.trust(sub=OPERATOR), ("s3:ListBucket", "s3:GetObject"))
    problem = refused(run, account, role)
    assert problem.code is errors.BUCKET_DENIED
    assert "may not put" in problem.message
