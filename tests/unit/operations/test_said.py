"""The command that says again what setup was told."""

from __future__ import annotations

from anyscale_k8s_cli.operations.said import setup_command

NAMED = {"provider": "generic", "name": "prod"}


def test_a_flag_is_said_without_a_value_and_only_if_it_was_given() -> None:
    said = setup_command({**NAMED, "operator.use_my_token": True})
    assert said == "anyscale cloud setup --provider generic --name prod --use-my-token"

    silent = setup_command({**NAMED, "operator.use_my_token": False})
    assert silent == "anyscale cloud setup --provider generic --name prod"
