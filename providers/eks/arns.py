"""ARNs, taken apart and put together; the partition always comes from one that AWS gave."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arn:
    """`arn:<partition>:<service>:<region>:<account>:<resource>`."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Raises ValueError for what is no ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
            raise ValueError(f"not an ARN: {text!r}")
        return cls(*parts[1:])

    def __str__(self) -> str:
        return ":".join(
            ("arn", self.partition, self.service, self.region, self.account, self.resource)
        )

    @property
    def name(self) -> str:
        """The resource's own name, without type and path."""
        return self.resource.rpartition("/")[2]


@dataclass(frozen=True)
class Caller:
    """Who we are to AWS, as STS says. `arn` of an assumed role names the session."""

    arn: str

    @property
    def account(self) -> str:
        return Arn.parse(self.arn).account

    @property
    def partition(self) -> str:
        return Arn.parse(self.arn).partition

    @property
    def is_root(self) -> bool:
        return Arn.parse(self.arn).resource == "root"

    @property
    def role_name(self) -> str | None:
        """The role behind an assumed role's session; None for users and others."""
        kind, _, rest = Arn.parse(self.arn).resource.partition("/")
        return rest.split("/")[0] if kind == "assumed-role" else None

    @property
    def pathless_principal(self) -> str:
        """The role's ARN for a session, which lacks the role's path; else the ARN itself."""
        role = self.role_name
        return self.arn if role is None else self.iam(f"role/{role}")

    def iam(self, resource: str) -> str:
        """The ARN of an IAM object in the caller's account."""
        return str(Arn(self.partition, "iam", "", self.account, resource))

    def bucket(self, name: str) -> str:
        return str(Arn(self.partition, "s3", "", "", name))

    def oidc_provider(self, issuer: str) -> str:
        """The ARN that IAM gives the provider of an issuer's URL."""
        return self.iam(f"oidc-provider/{issuer.removeprefix('https://')}")
