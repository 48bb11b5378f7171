"""What the proofs of all clouds have in common: a token exchanged, and the bucket used then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.federation import codes
from anyscale_k8s_cli.run import Run

# Seconds. The identity is there already; what was mended in it a moment ago takes so long.
SETTLED_WITHIN = 20.0

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Exchange(Protocol[T_co]):
    """What a cloud makes of a token of the operator's service account."""

    @property
    def identity(self) -> str:
        """Whom the token's bearer is then taken for, as people call it."""
        ...

    def __call__(self, token: str, claimed: Claimed) -> T_co:
        """What opens the bucket. Raises `federation-refused` with what the owner has to do."""
        ...


@dataclass(frozen=True)
class TokenProof(Generic[T]):
    """Implements :class:`~anyscale_k8s_cli.cloud_side.IdentityProof`: a token is exchanged as the
    SDKs do it, and the bucket used with what comes of it.

    `audience` is whom the token is made for; `bucket` is said as people call it; `patience` is
    in seconds.
    """

    run: Run
    audience: str
    exchange: Exchange[T]
    bucket: str
    use: Callable[[T, Claimed], None]
    patience: float = SETTLED_WITHIN

    def __call__(self, token: Callable[[str], str]) -> Sequence[str]:
        given = token(self.audience)
        claimed = Claimed.of(given)
        found = self.run.retry(
            lambda: self.exchange(given, claimed),
            retriable=_denied_later,
            what=f"{self.exchange.identity} to be usable",
            timeout=self.patience,
        )
        self.use(found, claimed)
        return (
            f"proven: {claimed.subject} is admitted as {self.exchange.identity}",
            f"proven: that identity can put, get, list and delete in {self.bucket}",
        )


@dataclass(frozen=True)
class Refused:
    """A token that was not taken, and by whom."""

    identity: str
    claimed: Claimed
    cause: str
    evidence: tuple[str, ...] = ()

    def error(self, fix: str) -> errors.CliError:
        """What the owner of the identity has to do is the fix."""
        return errors.CliError(
            codes.FEDERATION_REFUSED,
            f"{self.identity} does not admit the operator",
            cause=self.cause,
            evidence=(
                f"the token's issuer is {self.claimed.issuer}",
                f"its subject is {self.claimed.subject}",
                f"its audience is {', '.join(self.claimed.audiences)}",
                *self.evidence,
            ),
            fix=fix,
        )


def denied_to(
    identity: str, bucket: str, fix: str
) -> Callable[[str, CloudFailure], errors.CliError]:
    """The error for an identity that is admitted and may not use the bucket."""

    def denied(verb: str, failure: CloudFailure) -> errors.CliError:
        return errors.CliError(
            errors.BUCKET_DENIED,
            f"{identity} may not {verb} in the bucket {bucket}",
            cause=failure.cause,
            evidence=failure.evidence,
            fix=fix,
        )

    return denied


def _denied_later(problem: BaseException) -> bool:
    """Whether it is a refusal that may pass within moments."""
    if isinstance(problem, CloudFailure):
        return problem.denied
    return isinstance(problem, errors.CliError) and problem.code is codes.FEDERATION_REFUSED
