"""The store and its keys as a cluster's Secret has them: for a teardown that is told nothing."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from anyscale_k8s_cli.credential_kinds import files_of, profile
from anyscale_k8s_cli.install import Install
from anyscale_k8s_cli.spec import StorageSpec


def stored_settings(found: Mapping[str, Any] | None, install: Install) -> StorageSpec:
    """What our Secret says of the store; nothing where it is not ours or was broken."""
    config = profile(files_of(found, install).get("config", ""))
    endpoint = config.get("endpoint_url", "")
    # Amazon's own needs no address, where a role is all that leads there.
    amazons = not endpoint and bool(config.get("role_arn") and config.get("region"))
    if not amazons and not urlsplit(endpoint).hostname:
        return StorageSpec()
    nested = configparser.RawConfigParser()
    nested.read_string("[s3]\n" + config.get("s3", ""))
    style, checksums = (
        nested["s3"].get("addressing_style"),
        config.get("request_checksum_calculation"),
    )
    return StorageSpec.model_validate(
        {
            "endpoint": endpoint or None,
            "region": config.get("region"),
            "addressing": style,
            "checksums": checksums,
        }
    )
