"""What is shown, word for word: one file for each screen, at 80 and at 160 columns."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from anyscale_k8s_cli.cli.render import clouds, delete, errors, plan, setup, status
from anyscale_k8s_cli.cli.render.sandbox import environment_lines

from . import samples

SCREENS = Path(__file__).parent / "screens"
WIDTHS = (80, 160)

HEADER = {**samples.HEADER, **samples.WHEREABOUTS}


def under(
    show: Callable[..., None], document: dict[str, Any], *, verbose: bool = False
) -> Callable[[Console], None]:
    """The screen of a document that stands under a head."""
    return lambda to: show(document, HEADER, to, verbose=verbose)


SHOWN: dict[str, Callable[[Console], None]] = {
    "plan": under(plan.show_plan, samples.plan()),
    "plan-verbose": under(plan.show_plan, samples.plan(), verbose=True),
    "setup": under(setup.show_setup, samples.setup()),
    "setup-verbose": under(setup.show_setup, samples.setup(), verbose=True),
    "setup-failed": under(setup.show_setup, samples.failed_setup()),
    "delete-before": under(delete.show_teardown, samples.teardown()),
    "delete-before-verbose": under(delete.show_teardown, samples.teardown(), verbose=True),
    "delete": under(delete.show_deleted, samples.deleted()),
    "delete-nothing": under(delete.show_deleted, samples.nothing_found()),
    "status": lambda to: status.show_status(samples.unhealthy(), to),
    "list": lambda to: clouds.show_list(samples.clouds(), to),
    "get": lambda to: clouds.show_cloud(samples.cloud(), to),
}


def drawn(show: Callable[[Console], None], width: int) -> str:
    target = io.StringIO()
    show(Console(file=target, width=width, highlight=False, markup=False, emoji=False))
    return "".join(f"{line.rstrip()}\n" for line in target.getvalue().splitlines())


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SHOWN)
def test_screens_are_word_for_word(name: str, width: int) -> None:
    screen = (SCREENS / f"{name}-{width}.txt").read_text(encoding="utf-8")

    assert drawn(SHOWN[name], width) == screen


def test_no_screen_is_left_over() -> None:
    wanted = {f"{name}-{width}.txt" for name in SHOWN for width in WIDTHS}

    assert {path.name for path in SCREENS.iterdir()} == wanted


@pytest.mark.parametrize("name", sorted(set(SHOWN) - {"list"}))
def test_screens_fit_but_for_what_must_be_copied(name: str) -> None:
    lines = drawn(SHOWN[name], 80).splitlines()

    assert [line for line in lines if len(line) > 80 and "anyscale cloud" not in line] == []


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"exposure": "PUBLIC"}, "PUBLIC: the load balancer is open to the internet."),
        (
            {"exposure": "PUBLIC", "allow_cidrs": ["203.0.113.0/24"]},
            "PUBLIC: the load balancer has a public address and lets in only 203.0.113.0/24.",
        ),
        ({"exposure": "internal"}, "exposure  internal"),
    ],
    ids=["open", "narrowed", "internal"],
)
def test_exposure_is_said_in_so_many_words(header: dict[str, object], said: str) -> None:
    shown = drawn(lambda to: plan.show_header({**header, "cloud": "prod"}, to), 120)

    assert said in shown


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (
            samples.summary(create=3, update=1, none=5),
            "3 to create, 1 to update; 5 stay as they are.",
        ),
        (samples.summary(none=1), "Nothing to change; 1 stays as it is."),
        (samples.summary(refuse=1, create=2), "2 to create; 1 object cannot be used."),
        (samples.summary(), "Nothing to change."),
    ],
    ids=["changes", "none", "refused", "empty"],
)
def test_the_sum_of_a_plan(counts: dict[str, int], said: str) -> None:
    assert plan.summary(counts) == said


def test_an_error_word_for_word() -> None:
    target = io.StringIO()
    errors.write_error(samples.ERROR, target)

    assert target.getvalue() == (
        "✗ The load balancer got no address\n"
        "  cause: no subnet carries the tag kubernetes.io/role/elb\n"
        "  seen:  Service envoy: EnsuringLoadBalancer\n"
        "         Service envoy: SyncLoadBalancerFailed\n"
        "  fix:   anyscale cloud setup --lb-subnet subnet-1 --name prod\n"
        "  code:  no-address (exit code 3)\n"
    )


def test_an_error_says_nothing_it_does_not_know() -> None:
    error = {**samples.ERROR, "cause": "", "evidence": [], "fix": "", "exit_code": 130}
    target = io.StringIO()
    errors.write_error(error, target)

    assert target.getvalue() == "✗ The load balancer got no address\n"


def test_a_fix_of_several_lines_stays_aligned() -> None:
    target = io.StringIO()
    errors.write_error({**samples.ERROR, "cause": "", "evidence": [], "fix": "a\nb"}, target)

    assert "  fix:   a\n         b\n" in target.getvalue()


def test_long_lines_are_not_cut() -> None:
    command = "anyscale cloud delete prod " + "--delete-bucket b" * 20
    target = io.StringIO()
    errors.write_error({**samples.ERROR, "fix": command}, target)

    assert command in target.getvalue()


def test_the_environment_for_shells() -> None:
    variables = {"A": "it's", "B": "b"}

    assert environment_lines("sh", variables, ["AWS_PROFILE", "HTTP_PROXY"]) == [
        "unset AWS_PROFILE HTTP_PROXY",
        "export A='it'\"'\"'s'",
        "export B=b",
    ]
    assert environment_lines("powershell", variables, ["AWS_PROFILE"]) == [
        "Remove-Item Env:AWS_PROFILE -ErrorAction SilentlyContinue",
        "$env:A = 'it''s'",
        "$env:B = 'b'",
    ]
