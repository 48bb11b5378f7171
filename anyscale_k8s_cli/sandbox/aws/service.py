"""The shape of a supplement: operations of a service, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from anyscale_k8s_cli.sandbox.aws.errors import AwsError
from anyscale_k8s_cli.sandbox.aws.principals import Keys

Answer = Mapping[str, Any]
Operation = Callable[["Inquiry"], Answer]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A call of an operation. Parameters and answers are named as in boto3.

    `keys` is None for the calls that need no signature.
    """

    region: str
    parameters: Mapping[str, Any]
    keys: Keys | None = None

    @property
    def signer(self) -> Keys:
        """The keys that signed; raises :class:`AwsError` for a call without a signature."""
        if self.keys is None:
            raise AwsError(
                403, "MissingAuthenticationToken", "Request is missing Authentication Token"
            )
        return self.keys

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.parameters.get(name, default)
