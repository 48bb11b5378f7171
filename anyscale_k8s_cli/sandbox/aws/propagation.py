"""What other services see of IAM, which is what IAM held a moment ago.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency

Counted in uses and not in time, so that what a run meets does not depend on the
speed of the machine: after a change the next uses still meet what was before.
IAM itself tells what it holds, and what is deleted is gone at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from anyscale_k8s_cli.sandbox.aws.account import Account
from anyscale_k8s_cli.sandbox.aws.policy import Document


@dataclass
class _Seen:
    before: Any
    now: Any
    uses_left: int = 0


@dataclass
class Propagation:
    """`refused_attempts`: how many uses of something new, or changed, do not meet it yet."""

    account: Account
    refused_attempts: int = 1
    _seen: dict[tuple[str, str], _Seen] = field(default_factory=dict)

    def settle(self) -> None:
        """All there is now has long been there."""
        for role in self.account.roles():
            self._seen["trust", role.id] = _settled(self.account.trust(role))
            self._seen["policies", role.id] = _settled(self.account.policies(role))
        for provider in self.account.oidc_providers():
            self._seen["provider", provider.arn] = _settled(provider.create_date)

    def trust(self, role: Any) -> Document | None:
        """The trust policy as STS sees it; None if it does not know the role."""
        trust: Document | None = self._use("trust", role.id, self.account.trust(role), None)
        return trust

    def policies(self, role: Any) -> list[Document]:
        """The role's policies as those see them who are asked in its name."""
        found: list[Document] = self._use("policies", role.id, self.account.policies(role), [])
        return found

    def knows_provider(self, provider: Any) -> bool:
        """Whether STS knows the provider. One made again is another one."""
        made = provider.create_date
        return bool(self._use("provider", provider.arn, made, None) == made)

    def _use(self, kind: str, key: str, value: Any, absent: Any) -> Any:
        seen = self._seen.setdefault((kind, key), _Seen(absent, absent))
        if value != seen.now:
            if not seen.uses_left:
                seen.before = seen.now
            seen.now, seen.uses_left = value, self.refused_attempts
        if not seen.uses_left:
            return value
        seen.uses_left -= 1
        return seen.before


def _settled(value: Any) -> _Seen:
    return _Seen(value, value)
