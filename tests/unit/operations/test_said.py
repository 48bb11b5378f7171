"""The command that says again what setup was told."""

from __future__ import annotations

from anyscale_k8s_cli.operations.said import from_files, setup_command

NAMED = {"provider": "generic", "name": "prod"}


def test_a_flag_is_said_without_a_value_and_only_if_it_was_given() -> None:
    said = setup_command({**NAMED, "operator.use_my_token": True})
    assert said == "anyscale cloud setup --provider generic --name prod --use-my-token"

    silent = setup_command({**NAMED, "operator.use_my_token": False})
    assert silent == "anyscale cloud setup --provider generic --name prod"


def test_files_of_the_users_own_are_not_named() -> None:
    told = {**NAMED, "rules.names": {"bucket": "mine"}, "operator.values": None, "gpu": "off"}

    assert setup_command(told) == (
        "anyscale cloud setup -f FILE --provider generic --name prod --gpu off --values FILE"
    )
    assert list(from_files(told)) == [
        "-f FILE stands for a file of yours that says rules.names",
        "--values FILE stands for your file of Helm values, which are not kept",
    ]
    assert list(from_files(NAMED)) == []
