"""What can go wrong behind the tool's back in the CoreWeave organisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anyscale_k8s_cli.sandbox.cks import CksPlatform
from anyscale_k8s_cli.sandbox.platforms import Break


@dataclass(frozen=True)
class CoreWeaveBreaks:
    platform: CksPlatform

    def named(self) -> Mapping[str, Break]:
        organisation = self.platform.organisation
        return {
            "storage-key": lambda _: organisation.revoke_all(),
            "federation": lambda _: organisation.forget_issuers(),
            "storage-key-age": lambda _: organisation.expire_all(),
            "bucket-access": lambda _: organisation.withdraw_policies(),
        }
