"""S3 as a store that is not Amazon's understands it: one client, its calls, its failures."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from anyscale_k8s_cli import tool_version
from anyscale_k8s_cli.credential_kinds import S3Keys
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.events import CallMade
from anyscale_k8s_cli.providers.objectstore import codes, permissions
from anyscale_k8s_cli.providers.objectstore.sdk.core import store_client
from anyscale_k8s_cli.providers.objectstore.store import S3Store
from anyscale_k8s_cli.run import Run
from anyscale_k8s_cli.spec import Addressing, Checksums

T = TypeVar("T")
Rule = dict[str, Any]

# Seconds.
CONNECT_SECONDS = 5
READ_SECONDS = 30
MAX_ATTEMPTS = 3

ABSENT = frozenset({"404", "NoSuchBucket", "NoSuchKey"})
OURS_ALREADY = frozenset({"BucketAlreadyOwnedByYou"})
TAKEN = frozenset({"BucketAlreadyExists"})
DENIED = frozenset(
    {"403", "AccessDenied", "Forbidden", "InvalidAccessKeyId", "SignatureDoesNotMatch"}
)
NOT_IMPLEMENTED = frozenset({"501", "NotImplemented", "405", "MethodNotAllowed"})
_NO_CORS = frozenset({"NoSuchCORSConfiguration"})
# Calls that must tell a digest of their body: SDKs send a CRC, some stores want an MD5.
_DIGESTED = ("DeleteObjects", "PutBucketCors")


@dataclass(frozen=True)
class Version:
    """One version of an object, or a marker of its deletion."""

    key: str
    id: str
    size: int = 0


class S3:
    """The calls that are made to a store. `keys` are asked for at the first of them."""

    def __init__(self, run: Run, store: S3Store, keys: Callable[[], S3Keys]) -> None:
        self.run = run
        self.store = store
        self._keys = keys
        self._lock = threading.Lock()
        self._made: tuple[S3Keys, Any] | None = None

    def spoken_to(
        self, *, addressing: Addressing | None = None, checksums: Checksums | None = None
    ) -> S3:
        """The same store, spoken to otherwise."""
        other = replace(
            self.store,
            addressing=addressing or self.store.addressing,
            checksums=checksums or self.store.checksums,
        )
        return S3(self.run, other, self._keys)

    # -- buckets --------------------------------------------------------------------

    def exists(self, bucket: str) -> bool:
        """Whether there is such a bucket. A list, since a HEAD's refusal tells no reason."""
        return (
            self._find(ABSENT, lambda s3: s3.list_objects_v2(Bucket=bucket, MaxKeys=1)) is not None
        )

    def names(self) -> list[str]:
        answer = self._ask(lambda s3: s3.list_buckets())
        return [str(item["Name"]) for item in answer.get("Buckets", [])]

    def create(self, bucket: str) -> None:
        location = self.store.location
        more = {"CreateBucketConfiguration": {"LocationConstraint": location}} if location else {}
        self._ask(lambda s3: s3.create_bucket(Bucket=bucket, **more))

    def delete(self, bucket: str) -> None:
        """Already gone is success."""
        self._find(ABSENT, lambda s3: s3.delete_bucket(Bucket=bucket))

    def cors(self, bucket: str) -> list[Rule] | None:
        """The rules; None where the store has no such call."""
        try:
            answer = self._find(_NO_CORS, lambda s3: s3.get_bucket_cors(Bucket=bucket))
        except CloudFailure as failure:
            if failure.api_code in NOT_IMPLEMENTED:
                return None
            raise
        return [] if answer is None else [dict(rule) for rule in answer["CORSRules"]]

    def put_cors(self, bucket: str, rules: Sequence[Rule]) -> None:
        configuration: Any = {"CORSRules": list(rules)}
        self._ask(lambda s3: s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=configuration))

    # -- objects ---------------------------------------------------------------------

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._ask(lambda s3: s3.put_object(Bucket=bucket, Key=key, Body=content))

    def get(self, bucket: str, key: str) -> bytes:
        return bytes(self._ask(lambda s3: s3.get_object(Bucket=bucket, Key=key)["Body"].read()))

    def find(self, bucket: str, key: str) -> bytes | None:
        """The object's content; None when there is no such object or bucket."""
        found = self._find(ABSENT, lambda s3: s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return None if found is None else bytes(found)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """The first page of keys that begin with a prefix."""
        answer = self._ask(lambda s3: s3.list_objects_v2(Bucket=bucket, Prefix=prefix))
        return [str(item["Key"]) for item in answer.get("Contents", [])]

    def remove(self, bucket: str, key: str) -> None:
        self._ask(lambda s3: s3.delete_object(Bucket=bucket, Key=key))

    def put_in_parts(self, bucket: str, key: str, content: bytes) -> None:
        """One object as a multipart upload of one part; nothing of it stays if it fails."""
        where = {"Bucket": bucket, "Key": key}
        upload = self._ask(lambda s3: s3.create_multipart_upload(**where))["UploadId"]
        try:
            part = self._ask(
                lambda s3: s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=content)
            )
            parts: Any = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
            self._ask(
                lambda s3: s3.complete_multipart_upload(
                    **where, UploadId=upload, MultipartUpload=parts
                )
            )
        except CloudFailure:
            self.abort(bucket, key, upload)
            raise

    # -- all of it, for deletion --------------------------------------------------------

    def versions(self, bucket: str) -> Iterator[list[Version]]:
        """All versions and markers, page by page; nothing when there is no such bucket."""
        paginator = self._client.get_paginator("list_object_versions")
        pages = iter(paginator.paginate(Bucket=bucket))
        while True:
            page = self._find(ABSENT, lambda _: next(pages, None))
            if page is None:
                return
            yield [
                Version(item["Key"], item["VersionId"], int(item.get("Size", 0)))
                for item in (*page.get("Versions", []), *page.get("DeleteMarkers", []))
            ]

    def uploads(self, bucket: str) -> list[tuple[str, str]]:
        """Key and id of every multipart upload that nobody finished."""
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        found = self._find(
            ABSENT,
            lambda _: [
                (item["Key"], item["UploadId"])
                for page in pages
                for item in page.get("Uploads", [])
            ],
        )
        return found or []

    def delete_versions(self, bucket: str, versions: Sequence[Version]) -> list[str]:
        """Remove a page of versions; returns what the store refused, a line each."""
        items: Any = [{"Key": item.key, "VersionId": item.id} for item in versions]
        answer = self._ask(
            lambda s3: s3.delete_objects(Bucket=bucket, Delete={"Objects": items, "Quiet": True})
        )
        return [
            f"{item.get('Key', '')}: {item.get('Code', '')} {item.get('Message', '')}"
            for item in answer.get("Errors", [])
        ]

    def abort(self, bucket: str, key: str, upload: str) -> None:
        """Already gone is success."""
        self._find(
            ABSENT | {"NoSuchUpload"},
            lambda s3: s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload),
        )

    # -- the client ------------------------------------------------------------------------

    def _find(self, absent: frozenset[str], call: Callable[[Any], T]) -> T | None:
        """The call's answer; None when the store's own word is one of `absent`."""
        try:
            return self._ask(call)
        except CloudFailure as failure:
            if failure.api_code in absent:
                return None
            raise

    def _ask(self, call: Callable[[Any], T]) -> T:
        """The call's answer. Raises `CloudFailure`."""
        try:
            return call(self._client)
        except ClientError as problem:
            raise self._of_answer(problem) from problem
        except BotoCoreError as problem:
            raise self._of_sdk(problem) from problem

    @property
    def _client(self) -> Any:
        """One client for all threads; a new one when the keys are others."""
        keys = self._keys()
        with self._lock:
            if self._made is None or self._made[0] != keys:
                self._made = (keys, self._make(keys))
            return self._made[1]

    def _make(self, keys: S3Keys) -> Any:
        store = self.store
        client = store_client(
            "s3",
            endpoint_url=store.endpoint or None,
            region_name=store.region,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret,
            aws_session_token=keys.session or None,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": store.addressing.value},
                request_checksum_calculation=store.checksums.value,
                response_checksum_validation=store.checksums.value,
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": MAX_ATTEMPTS},
                user_agent_extra=f"anyscale-k8s-cli/{tool_version()}",
                max_pool_connections=20,
            ),
        )
        client.meta.events.register("before-call.s3", _stay_in_region)
        if store.checksums is Checksums.WHEN_REQUIRED:
            for operation in _DIGESTED:
                client.meta.events.register(f"before-sign.s3.{operation}", _digest_by_md5)
        self._report(client)
        return client

    def _report(self, client: Any) -> None:
        """Tell of each call; botocore hands the same context to both ends of one."""

        def begun(context: dict[str, Any], **_: Any) -> None:
            context["anyscale_k8s_started"] = time.monotonic()

        def emit(context: dict[str, Any], operation: str, status: str) -> None:
            seconds = time.monotonic() - context.get("anyscale_k8s_started", time.monotonic())
            made = CallMade(
                service=self.store.title, call=operation, status=status, seconds=seconds
            )
            self.run.emit(made)

        def answered(model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
            status = str(parsed.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
            code = parsed.get("Error", {}).get("Code")
            emit(context, model.name, f"{status} {code}" if code else status)

        def broken(exception: Exception, context: dict[str, Any], **told: Any) -> None:
            operation = str(told.get("event_name", "")).rpartition(".")[2]
            emit(context, operation, type(exception).__name__)

        client.meta.events.register("before-call", begun)
        client.meta.events.register("after-call", answered)
        client.meta.events.register("after-call-error", broken)

    def _of_answer(self, problem: ClientError) -> CloudFailure:
        error = problem.response.get("Error", {})
        status = int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code, text = str(error.get("Code", "")), str(error.get("Message", ""))
        kind = codes.STORE_KEYS_DENIED if code in DENIED else codes.STORE_FAILED
        return CloudFailure(
            kind,
            f"{self.store.title} refused {problem.operation_name}",
            f"{code}: {text}",
            (f"{problem.operation_name} answered {status} {code}",),
            f"see that the keys may use the bucket: it takes "
            f"{permissions.action_of(problem.operation_name)}; then run the same command again",
            details={"region": str(error.get("Region", "")), "call": problem.operation_name},
            api_code=code,
            status=status,
            denied=code in DENIED,
        )

    def _of_sdk(self, problem: BotoCoreError) -> CloudFailure:
        return CloudFailure(
            codes.STORE_UNREACHABLE,
            f"{self.store.title} cannot be reached from here",
            " ".join(str(problem).split()),
            fix="check --storage-endpoint, the network and HTTPS_PROXY",
        )


def _stay_in_region(context: dict[str, Any], **_: Any) -> None:
    """The SDK would go on with the region that an error names, and the pods' would not."""
    if "s3_redirect" in context:
        context["s3_redirect"]["redirected"] = True


def _digest_by_md5(request: Any, **_: Any) -> None:
    for name in list(request.headers.keys()):
        if name.lower().startswith(("x-amz-checksum-", "x-amz-sdk-checksum")):
            del request.headers[name]
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else bytes(body)
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()
