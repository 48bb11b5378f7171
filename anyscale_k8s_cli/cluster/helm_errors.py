"""What helm's error texts mean, as coded errors.

helm answers with text alone. The patterns below were seen with helm 3.17 and 4.3;
what matches none is `helm-failed` with the text as evidence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.admission import denial_in, way_on
from anyscale_k8s_cli.cluster.child import ChildResult
from anyscale_k8s_cli.cluster.forbidden import way_in

_AGAIN = "run the same command again to go on"


@dataclass(frozen=True)
class _Meaning:
    pattern: re.Pattern[str]
    code: errors.ErrorCode
    fix: str
    pending: bool = False


def _meaning(
    pattern: str, code: errors.ErrorCode, fix: str = _AGAIN, *, pending: bool = False
) -> _Meaning:
    return _Meaning(re.compile(pattern, re.IGNORECASE), code, fix, pending)


# The first match counts: an expired wait is reported together with other things.
_MEANINGS = (
    _meaning(
        r"another operation .* is in progress",
        errors.HELM_FAILED,
        "wait for the other run to end; one that died is recovered by running the same "
        "command again",
        pending=True,
    ),
    _meaning(
        r"invalid ownership metadata|cannot be imported into the current release",
        errors.FOREIGN_OBJECT,
        "remove or rename the object that is in the way, or run the same command with another "
        "namespace (--namespace NAME)",
    ),
    _meaning(
        r"unauthorized|asked for the client to provide credentials", errors.CLUSTER_UNAUTHENTICATED
    ),
    _meaning(r"is forbidden|forbidden: user", errors.CLUSTER_FORBIDDEN),
    _meaning(r"cluster unreachable|connection refused|no such host", errors.CLUSTER_UNREACHABLE),
    _meaning(
        r"values don't meet the specifications|execution error at|failed to render",
        errors.INVALID_SPEC,
        "correct the chart's values",
    ),
    _meaning(r"deadline exceeded|timed out waiting|timeout exceeded", errors.TIMED_OUT),
)


def helm_error(message: str, result: ChildResult | None, deadline: float) -> errors.CliError:
    """The coded error for a failed call of helm; no result means that it did not end in time."""
    if result is None:
        return errors.CliError(
            errors.TIMED_OUT, message, cause=f"helm did not end within {deadline:.0f} s", fix=_AGAIN
        )
    evidence = result.last_lines()
    text = "\n".join(evidence)
    # helm logs as it goes and ends with what failed.
    cause = next((line for line in reversed(evidence) if line.startswith("Error:")), "")
    cause = (cause or (evidence[-1] if evidence else "")).removeprefix("Error:").strip()
    denial = denial_in(text)
    if denial is not None:
        return errors.CliError(
            errors.ADMISSION_DENIED,
            message,
            cause=str(denial),
            evidence=evidence,
            fix=way_on(denial, _kubectl),
        )
    found = next((meaning for meaning in _MEANINGS if meaning.pattern.search(text)), None)
    fix = found.fix if found else _AGAIN
    if found and found.code is errors.CLUSTER_FORBIDDEN:
        fix = way_in(text, _kubectl)
    return errors.CliError(
        found.code if found else errors.HELM_FAILED,
        message,
        cause=cause,
        evidence=evidence,
        fix=fix,
        details={"pending": True} if found and found.pending else {},
    )


def _kubectl(*words: str) -> str:
    """helm tells not of which cluster."""
    return " ".join(("kubectl", *words))


class HelmFailed(Exception):
    """helm ended with an error (`result`), or did not end in time (None)."""

    def __init__(self, deadline: float, result: ChildResult | None) -> None:
        super().__init__("helm failed")
        self.deadline = deadline
        self.result = result

    def told(self, message: str) -> errors.CliError:
        return helm_error(message, self.result, self.deadline)
