"""The session with AWS: credentials, clients, what is reported of each call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.eks.sdk import failures
from anyscale_k8s_cli.providers.objectstore.sdk.core import new_session
from anyscale_k8s_cli.run import Run

# Seconds. Several addresses may stand behind a name, and a lost packet costs one.
CONNECT_SECONDS = 5
READ_SECONDS = 30
# Botocore's standard mode repeats its own list of codes and nothing else: throttling,
# 500, 502, 503, 504 and connections that broke, with jitter.
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
MAX_ATTEMPTS = 5
MOST_AT_ONCE = 8

T = TypeVar("T")


@dataclass(frozen=True)
class TemporaryKeys:
    """Keys of an assumed role."""

    access_key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)


class Session:
    """Clients of one profile and region, made when first asked for. Safe for threads.

    Without a `region` only what has none can be asked (IAM, STS, all buckets).
    `principal` is put into messages once it is known.
    """

    def __init__(
        self,
        run: Run,
        *,
        profile: str | None = None,
        region: str | None = None,
        keys: TemporaryKeys | None = None,
        principal: str = "",
    ) -> None:
        self.run = run
        self.profile = profile
        self.principal = principal
        self._lock = threading.RLock()
        self._clients: dict[str, Any] = {}
        self._source = ""
        try:
            self._core = new_session(profile)
            # The global endpoint is slow, far away, and absent outside the first partition.
            self._core.set_config_variable("sts_regional_endpoints", "regional")
            self._boto3 = boto3.session.Session(
                botocore_session=self._core,
                region_name=region,
                **_keyword_arguments(keys),
            )
            if not self._boto3.region_name:
                # For what has no region: who we are, IAM, the list of buckets.
                self._core.set_config_variable("region", self._first_partition()["region"])
        except BotoCoreError as problem:
            raise failures.of_sdk(problem, "profile", self._asker()) from problem

    @property
    def region(self) -> str:
        """The region asked for, else the profile's or the environment's, else the SDK's first."""
        region: str = self._boto3.region_name
        return region

    def client(self, service: str) -> Any:
        """The SDK's client of a service; one for all threads."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def endpoint(self, service: str) -> str:
        """Where the SDK finds a service in the region."""
        found: str = self.client(service).meta.endpoint_url
        return found

    def ask(self, service: str, call: Callable[[], T]) -> T:
        """The call's answer. Raises `CloudFailure`."""
        try:
            with self.run.asking(f"AWS ({service})"):
                return call()
        except ClientError as problem:
            raise failures.of_answer(problem, service, self._asker()) from problem
        except BotoCoreError as problem:
            raise failures.of_sdk(problem, service, self._asker()) from problem

    def find(self, service: str, call: Callable[[], T], *absent: str) -> T | None:
        """The call's answer; None when AWS's own word is one of `absent`."""
        try:
            return self.ask(service, call)
        except CloudFailure as failure:
            if failure.api_code in absent:
                return None
            raise

    def credentials(self) -> Any:
        """The SDK's credentials object, for signing what is sent by somebody else."""
        credentials = self._boto3.get_credentials()
        if credentials is None:
            # Asking is what gives the message that fits.
            self.ask("sts", self.client("sts").get_caller_identity)
        return credentials

    @property
    def temporary(self) -> bool:
        """Whether the credentials are of a session, which a policy of its own may narrow."""
        return bool(self.credentials().token)

    @property
    def events(self) -> Any:
        return self._boto3.events

    def first_dns_suffix(self) -> str:
        """The domain of the services of the SDK's first partition."""
        return self._first_partition()["suffix"]

    def _first_partition(self) -> dict[str, str]:
        data: Any = self._core.get_data("partitions")
        outputs = data["partitions"][0]["outputs"]
        return {"suffix": outputs["dnsSuffix"], "region": outputs["implicitGlobalRegion"]}

    def _make(self, service: str) -> Any:
        try:
            credentials = self._boto3.get_credentials()
            self._source = str(getattr(credentials, "method", "") or "")
            client = self._boto3.client(service, config=_config())  # type: ignore[call-overload]
        except BotoCoreError as problem:
            raise failures.of_sdk(problem, service, self._asker()) from problem
        self._report(service, client)
        return client

    def _report(self, service: str, client: Any) -> None:
        """Tell of each call; botocore hands the same context to both ends of one."""

        def begun(context: dict[str, Any], **_: Any) -> None:
            context["anyscale_k8s_started"] = time.monotonic()

        def emit(context: dict[str, Any], operation: str, status: str) -> None:
            started = context.get("anyscale_k8s_started", time.monotonic())
            self.run.emit(
                CallMade(
                    service=f"aws {service}",
                    call=operation,
                    status=status,
                    seconds=time.monotonic() - started,
                )
            )

        def answered(model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            metadata = parsed.get("ResponseMetadata", {})
            status = str(metadata.get("HTTPStatusCode", ""))
            if code := parsed.get("Error", {}).get("Code"):
                status += f" {code}"
            if retries := metadata.get("RetryAttempts"):
                status += f" after {retries} retries"
            emit(context, model.name, status)

        def broken(exception: Exception, context: dict[str, Any], **told: Any) -> None:
            operation = str(told.get("event_name", "")).rpartition(".")[2]
            emit(context, operation, type(exception).__name__)

        events = client.meta.events
        events.register("before-call", begun)
        events.register("after-call", answered)
        events.register("after-call-error", broken)

    def _asker(self) -> failures.Asker:
        return failures.Asker(self.principal, self._source, self.profile or "")


def _config() -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "max_attempts": MAX_ATTEMPTS},
        user_agent_extra=f"anyscale-k8s-cli/{tool_version()}",
        max_pool_connections=20,
    )


def _keyword_arguments(keys: TemporaryKeys | None) -> dict[str, str]:
    if keys is None:
        return {}
    return {
        "aws_access_key_id": keys.access_key,
        "aws_secret_access_key": keys.secret,
        "aws_session_token": keys.token,
    }
