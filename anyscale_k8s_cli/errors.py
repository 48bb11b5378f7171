"""Errors for people, and the closed table of exit codes.

Belongs here: the one base class, the codes of the core, the exit codes, and what
stands in a fix for what is not known. A
provider keeps its own codes in its `codes.py`. Each code is documented in
`docs/errors.md`; a test compares what is registered, documented and raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

# Stands for a file whose name nobody knows, as in the help of the options.
FILE = "FILE"
FILES = {
    "-f": f"-f {FILE} stands for a file of yours that says what no option can",
    "--values": f"--values {FILE} stands for your file of Helm values, which are not kept",
    "--ca-bundle": f"--ca-bundle {FILE} stands for the file of authorities that setup was given, "
    "whose path is not kept",
}
_OUR_FILE = re.compile(rf"(?<= )({'|'.join(FILES)}) {FILE}(?!\S)")
_OUR_COMMAND = re.compile(r"(?:^|\s)anyscale (?:cloud|mirror) .*")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class ExitCode(IntEnum):
    """What the process answers; `docs/exit-codes.md` is the same table as prose."""

    DONE = 0
    BAD_INPUT = 1
    OPERATION_FAILED = 2
    TIMED_OUT = 3
    NOT_PERMITTED = 4
    REFUSED = 5
    CHECKS_FAILED = 6
    CHANGES_PENDING = 7
    INTERRUPTED = 130
    TERMINATED = 143


@dataclass(frozen=True)
class ErrorCode:
    """A kind of failure: a readable slug and the exit code it leads to."""

    slug: str
    exit_code: ExitCode

    def __post_init__(self) -> None:
        if not _SLUG.fullmatch(self.slug):
            raise ValueError(f"not a slug: {self.slug!r}")


# Bad input or usage
INVALID_SPEC = ErrorCode("invalid-spec", ExitCode.BAD_INPUT)
MISSING_INPUT = ErrorCode("missing-input", ExitCode.BAD_INPUT)
USAGE = ErrorCode("usage", ExitCode.BAD_INPUT)
NOT_FOUND = ErrorCode("not-found", ExitCode.BAD_INPUT)
CLUSTER_NOT_FOUND = ErrorCode("cluster-not-found", ExitCode.BAD_INPUT)
CLOUD_NOT_FOUND = ErrorCode("cloud-not-found", ExitCode.BAD_INPUT)
CLOUD_AMBIGUOUS = ErrorCode("cloud-ambiguous", ExitCode.BAD_INPUT)
ACCOUNT_MISMATCH = ErrorCode("account-mismatch", ExitCode.BAD_INPUT)
FILE_UNUSABLE = ErrorCode("file-unusable", ExitCode.BAD_INPUT)
FILE_NOT_OURS = ErrorCode("file-not-ours", ExitCode.BAD_INPUT)
PROVIDER_UNAVAILABLE = ErrorCode("provider-unavailable", ExitCode.BAD_INPUT)
PACKAGE_MISSING = ErrorCode("package-missing", ExitCode.BAD_INPUT)
AZURE_HOSTED_PLANE = ErrorCode("azure-hosted-plane", ExitCode.BAD_INPUT)
HELM_MISSING = ErrorCode("helm-missing", ExitCode.BAD_INPUT)
HELM_UNSUPPORTED = ErrorCode("helm-unsupported", ExitCode.BAD_INPUT)
SANDBOX_NOT_RUNNING = ErrorCode("sandbox-not-running", ExitCode.BAD_INPUT)
ADOPTED_MISSING = ErrorCode("adopted-missing", ExitCode.BAD_INPUT)
ADOPTED_UNFIT = ErrorCode("adopted-unfit", ExitCode.BAD_INPUT)
TOKEN_LIFETIME = ErrorCode("token-lifetime", ExitCode.BAD_INPUT)
NO_OPERATOR_TOKEN = ErrorCode("no-operator-token", ExitCode.BAD_INPUT)

# An operation failed
CONTROL_PLANE_FAILED = ErrorCode("control-plane-failed", ExitCode.OPERATION_FAILED)
CONTROL_PLANE_UNREACHABLE = ErrorCode("control-plane-unreachable", ExitCode.OPERATION_FAILED)
CLUSTER_UNREACHABLE = ErrorCode("cluster-unreachable", ExitCode.OPERATION_FAILED)
CLUSTER_FAILED = ErrorCode("cluster-failed", ExitCode.OPERATION_FAILED)
HELM_FAILED = ErrorCode("helm-failed", ExitCode.OPERATION_FAILED)
CHART_UNAVAILABLE = ErrorCode("chart-unavailable", ExitCode.OPERATION_FAILED)
UPGRADE_TAKEN_BACK = ErrorCode("upgrade-taken-back", ExitCode.OPERATION_FAILED)
BUCKET_MISSING = ErrorCode("bucket-missing", ExitCode.OPERATION_FAILED)
BUCKET_DENIED = ErrorCode("bucket-denied", ExitCode.OPERATION_FAILED)
STORAGE_UNREACHABLE = ErrorCode("storage-unreachable", ExitCode.OPERATION_FAILED)
OPERATOR_UNHEALTHY = ErrorCode("operator-unhealthy", ExitCode.OPERATION_FAILED)
OPERATOR_LACKS_IDENTITY = ErrorCode("operator-lacks-identity", ExitCode.OPERATION_FAILED)
LEFTOVERS = ErrorCode("leftovers", ExitCode.OPERATION_FAILED)
SANDBOX_FAILED = ErrorCode("sandbox-failed", ExitCode.OPERATION_FAILED)
INTERNAL = ErrorCode("internal", ExitCode.OPERATION_FAILED)

# Time ran out
TIMED_OUT = ErrorCode("timed-out", ExitCode.TIMED_OUT)
NO_ADDRESS = ErrorCode("no-address", ExitCode.TIMED_OUT)

# Who are you, and may you
NOT_LOGGED_IN = ErrorCode("not-logged-in", ExitCode.NOT_PERMITTED)
TOKEN_MALFORMED = ErrorCode("token-malformed", ExitCode.NOT_PERMITTED)
TOKEN_REJECTED = ErrorCode("token-rejected", ExitCode.NOT_PERMITTED)
FORBIDDEN = ErrorCode("forbidden", ExitCode.NOT_PERMITTED)
CLOUD_CREDENTIALS_MISSING = ErrorCode("cloud-credentials-missing", ExitCode.NOT_PERMITTED)
CLOUD_CREDENTIALS_REJECTED = ErrorCode("cloud-credentials-rejected", ExitCode.NOT_PERMITTED)
CLUSTER_UNAUTHENTICATED = ErrorCode("cluster-unauthenticated", ExitCode.NOT_PERMITTED)
CLUSTER_FORBIDDEN = ErrorCode("cluster-forbidden", ExitCode.NOT_PERMITTED)
ADMISSION_DENIED = ErrorCode("admission-denied", ExitCode.NOT_PERMITTED)

# Refused to protect something
FOREIGN_OBJECT = ErrorCode("foreign-object", ExitCode.REFUSED)
CLOUD_DELETING = ErrorCode("cloud-deleting", ExitCode.REFUSED)
CLOUD_ELSEWHERE = ErrorCode("cloud-elsewhere", ExitCode.REFUSED)
OTHER_CLUSTER = ErrorCode("other-cluster", ExitCode.REFUSED)
OPTIONS_LEFT_OUT = ErrorCode("options-left-out", ExitCode.REFUSED)
CHANGES_EXISTING = ErrorCode("changes-existing", ExitCode.REFUSED)
PLAN_STALE = ErrorCode("plan-stale", ExitCode.REFUSED)
LOCK_HELD = ErrorCode("lock-held", ExitCode.REFUSED)
LOCK_LOST = ErrorCode("lock-lost", ExitCode.REFUSED)
ACTIVE_WORKLOADS = ErrorCode("active-workloads", ExitCode.REFUSED)
DELETION_REFUSED = ErrorCode("deletion-refused", ExitCode.REFUSED)
CONFIRMATION_NEEDED = ErrorCode("confirmation-needed", ExitCode.REFUSED)

# Checks
CHECKS_FAILED = ErrorCode("checks-failed", ExitCode.CHECKS_FAILED)
NO_ROOM = ErrorCode("no-room", ExitCode.CHECKS_FAILED)

# Interrupted
INTERRUPTED = ErrorCode("interrupted", ExitCode.INTERRUPTED)
TERMINATED = ErrorCode("terminated", ExitCode.TERMINATED)


@dataclass(eq=False)
class CliError(Exception):
    """A foreseeable failure.

    `message` says what failed, `cause` why, `evidence` what was seen (status
    lines, events, log tails, trace ids), `fix` one command or step that mends
    it. Only the renderer puts them together.
    """

    code: ErrorCode
    message: str
    cause: str = ""
    evidence: tuple[str, ...] = ()
    fix: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.message}: {self.cause}" if self.cause else self.message

    @property
    def exit_code(self) -> ExitCode:
        return self.code.exit_code

    def as_json(self) -> dict[str, Any]:
        """The `error` member of every command's JSON."""
        return {
            "code": self.code.slug,
            "message": self.message,
            "cause": self.cause,
            "evidence": list(self.evidence),
            "fix": self.fix,
            "exit_code": int(self.exit_code),
            **({"details": self.details} if self.details else {}),
        }


@dataclass(eq=False)
class CloudFailure(CliError):
    """A call to a cloud's API that failed.

    `api_code` is the API's own word for it, empty when it did not answer;
    `status` is that of HTTP. `denied` says that the API's word means "you may not".
    """

    api_code: str = ""
    status: int = 0
    denied: bool = False


def stands_for(fix: str, told: Iterable[str] = ()) -> list[str]:
    """What a person puts in the place of each `FILE` in our commands, but for what was `told`."""
    commands = " ".join(_OUR_COMMAND.findall(fix))
    said = " ".join(told)
    options = dict.fromkeys(_OUR_FILE.findall(commands))
    return [FILES[option] for option in options if f"{option} {FILE} stands for" not in said]
