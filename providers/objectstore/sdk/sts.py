"""Keys of a role for a token: AssumeRoleWithWebIdentity, of Amazon or of the store itself.

Stores of one's own that have it (MinIO, Ceph) answer at their own address.
"""

from __future__ import annotations

import time

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.objectstore import codes
from anyscale_k8s_cli.providers.objectstore.sdk.core import new_session, store_client
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.run import Run

SESSION_NAME = "anyscale-k8s-cli-proof"
# The shortest that STS gives.
SESSION_SECONDS = 900
CONNECT_SECONDS = 5
READ_SECONDS = 30


def audience(partition: str) -> str:
    """Whom tokens for roles of a partition are usually made for: `sts.amazonaws.com`."""
    suffix = new_session().get_component("endpoint_resolver").get_partition_dns_suffix(partition)
    return f"sts.{suffix}"


def assume_with_token(run: Run, store: S3Store, role_arn: str, token: str) -> S3Keys:
    """Keys for a quarter of an hour. No credentials of this machine are used.

    Raises `CloudFailure`: `store-keys-denied` for a refusal, with STS' own word.
    """
    client = store_client(
        "sts",
        endpoint_url=store.endpoint or None,
        region_name=store.region,
        config=Config(
            signature_version=UNSIGNED,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 3},
            user_agent_extra=f"anyscale-k8s-cli/{tool_version()}",
        ),
    )
    started, status = time.monotonic(), ""
    try:
        answer = client.assume_role_with_web_identity(
            RoleArn=role_arn,
            RoleSessionName=SESSION_NAME,
            WebIdentityToken=token,
            DurationSeconds=SESSION_SECONDS,
        )
        status = "200"
    except ClientError as problem:
        failure = _of_answer(problem)
        status = f"{failure.status} {failure.api_code}"
        raise failure from problem
    except BotoCoreError as problem:
        status = type(problem).__name__
        raise CloudFailure(
            codes.STORE_UNREACHABLE,
            "STS cannot be reached from here",
            " ".join(str(problem).split()),
            fix="check --storage-region, the network and HTTPS_PROXY",
        ) from problem
    finally:
        made = CallMade(
            service="sts",
            call="AssumeRoleWithWebIdentity",
            status=status,
            seconds=time.monotonic() - started,
        )
        run.emit(made)
    keys = answer["Credentials"]
    return S3Keys(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def _of_answer(problem: ClientError) -> CloudFailure:
    error = problem.response.get("Error", {})
    status = int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code, text = str(error.get("Code", "")), str(error.get("Message", ""))
    return CloudFailure(
        codes.STORE_KEYS_DENIED,
        "STS refused AssumeRoleWithWebIdentity",
        f"{code}: {text}",
        (f"AssumeRoleWithWebIdentity answered {status} {code}",),
        api_code=code,
        status=status,
        denied=True,
    )
