"""What the proofs of all clouds have in common: the bucket used with what was exchanged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cluster.service_account_tokens import Claimed
from anyscale_k8s_cli.errors import CloudFailure
from anyscale_k8s_cli.providers.federation import codes

# Seconds. The identity is there already; what was mended in it a moment ago takes so long.
SETTLED_WITHIN = 20.0

# Uses the bucket with an access token, on behalf of whom the token says; how is the store's own.
Use = Callable[[str, Claimed], None]


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


def denied_later(problem: BaseException) -> bool:
    """Whether it is a refusal that may pass within moments."""
    if isinstance(problem, CloudFailure):
        return problem.denied
    return isinstance(problem, errors.CliError) and problem.code is codes.FEDERATION_REFUSED
