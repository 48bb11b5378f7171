"""Progress: the tree on terminals, lines elsewhere."""

from __future__ import annotations

import io
import json
import threading

import pytest
from rich.console import Console

from anyscale_k8s_cli.cli.render.lines import JsonLines, PlainLines
from anyscale_k8s_cli.cli.render.live import LiveTree
from anyscale_k8s_cli.events import (
    CallMade,
    CheckFinished,
    Event,
    Notice,
    PhaseFinished,
    PhaseStarted,
    StepFinished,
    StepQueued,
    StepStarted,
    StepWaiting,
)

START = 1_000_000.0


def story() -> list[Event]:
    """A setup up to the moment in which two things are going on."""
    titles = {"b": "Bucket", "r": "Role", "g": "Gateway", "o": "Operator"}
    needs: dict[str, tuple[str, ...]] = {"g": ("r",), "o": ("g", "b")}
    queued = [
        StepQueued(at=START + 2, key=key, title=title, change="create", needs=needs.get(key, ()))
        for key, title in titles.items()
    ]
    return [
        PhaseStarted(at=START, phase="discover", title="Looking around"),
        CheckFinished(at=START + 1, code="nodes", title="Nodes", status="pass"),
        CheckFinished(at=START + 1, code="gpu", title="GPUs", status="warn", detail="none"),
        PhaseFinished(at=START + 2, phase="discover", seconds=2.0),
        PhaseStarted(at=START + 2, phase="apply", title="Making it so"),
        *queued,
        StepStarted(at=START + 2, key="b", title="Bucket", change="create"),
        StepStarted(at=START + 2, key="r", title="Role", change="create"),
        StepFinished(
            at=START + 3, key="b", title="Bucket", change="create", result="done", seconds=1.0
        ),
        StepWaiting(at=START + 4, key="r", what="the role to be usable", detail="AccessDenied"),
    ]


class Screen:
    """A tree with a clock that the test sets."""

    def __init__(self, width: int = 80) -> None:
        self.now = START
        self.target = io.StringIO()
        self.console = Console(file=self.target, width=width, highlight=False, emoji=False)
        self.tree = LiveTree(self.console, clock=lambda: self.now)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.tree(event)
            self.now = event.at

    def drawn(self) -> str:
        target = io.StringIO()
        console = Console(file=target, width=self.console.width, highlight=False, emoji=False)
        console.print(self.tree.tree())
        return target.getvalue()


def test_the_tree_shows_what_runs_why_it_waits_and_what_comes() -> None:
    screen = Screen()
    screen.tell(*story())

    assert screen.drawn() == (
        "✓ Looking around  2.0s · 1 of 2 checks passed\n"
        "⠹ Making it so  2.0s · 1 of 4 done\n"
        "  ⠹ Role  2.0s  waiting for the role to be usable: AccessDenied\n"
        "  ○ Gateway  after Role\n"
        "  ○ Operator  after Gateway\n"
    )
    assert screen.target.getvalue() == "! GPUs: none\n"


def test_finished_steps_collapse_and_failed_ones_stay() -> None:
    screen = Screen()
    screen.tell(
        *story(),
        StepFinished(
            at=START + 9,
            key="r",
            title="Role",
            change="create",
            result="failed",
            seconds=7.0,
            note="AccessDenied",
        ),
        StepFinished(
            at=START + 9, key="g", title="Gateway", change="create", result="skipped", seconds=0.0
        ),
        StepFinished(
            at=START + 9, key="o", title="Operator", change="create", result="skipped", seconds=0.0
        ),
        PhaseFinished(at=START + 9, phase="apply", seconds=7.0),
    )

    assert screen.drawn() == (
        "✓ Looking around  2.0s · 1 of 2 checks passed\n"
        "✗ Making it so  7.0s · 1 of 4 done · 2 skipped\n"
        "  ✗ Role  AccessDenied\n"
    )


def test_long_lines_are_cut_and_never_wrapped() -> None:
    screen = Screen(width=40)
    screen.tell(*story(), StepWaiting(at=START + 5, key="r", what="w" * 100))

    lines = screen.drawn().splitlines()
    assert max(len(line) for line in lines) == 40
    assert lines[3] == "      waiting for " + "w" * 21 + "…"


def test_many_steps_to_come_are_counted() -> None:
    screen = Screen()
    screen.tell(PhaseStarted(at=START, phase="apply", title="Making it so"))
    screen.tell(
        *(
            StepQueued(at=START, key=str(number), title=f"Thing {number}", change="create")
            for number in range(9)
        )
    )

    assert "  ○ 9 to come: Thing 0, Thing 1, Thing 2" in screen.drawn()


def test_a_phase_that_never_ended_is_not_shown_as_done() -> None:
    screen = Screen()
    screen.tell(*story())
    screen.tree.stop()

    assert "✗ Making it so  2.0s · 1 of 4 done\n" in screen.drawn()
    assert "⠋" not in screen.drawn()


def test_old_consoles_get_a_plain_spinner() -> None:
    target = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    tree = LiveTree(Console(file=target), clock=lambda: START)
    tree(PhaseStarted(at=START, phase="p", title="Working"))

    assert str(tree.tree().renderables[0]).startswith("| Working")


def test_calls_are_shown_when_asked_for() -> None:
    target = io.StringIO()
    call = CallMade(at=START, service="iam", call="CreateRole", status="200", seconds=0.25)
    LiveTree(Console(file=target, width=80), verbose=False)(call)
    assert target.getvalue() == ""
    LiveTree(Console(file=target, width=80), verbose=True)(call)
    assert target.getvalue() == "  iam: CreateRole → 200 0.2s\n"


def plain(events: list[Event], *, verbose: bool = False) -> list[str]:
    target = io.StringIO()
    show = PlainLines(target, verbose=verbose, patience=0.0)
    for event in events:
        show(event)
    return target.getvalue().splitlines()


def test_plain_lines_word_for_word() -> None:
    assert plain(story()) == [
        "[   0.0s] Looking around",
        "[   1.0s]   check gpu: warn: none",
        "[   2.0s] Making it so",
        "[   2.0s]   create Bucket",
        "[   2.0s]   create Role",
        "[   3.0s]   create Bucket: done in 1.0s",
        "[   4.0s]   Role: waiting for the role to be usable (AccessDenied)",
    ]


def test_plain_lines_with_everything() -> None:
    told = [
        *story(),
        CallMade(at=START + 5, service="iam", call="CreateRole", status="200", seconds=0.5),
        Notice(at=START + 6, level="warning", text="something"),
        StepFinished(
            at=START + 7,
            key="r",
            title="Role",
            change="create",
            result="failed",
            seconds=5.0,
            note="no",
        ),
    ]

    shown = plain(told, verbose=True)

    assert "[   1.0s]   check nodes: pass" in shown
    assert "[   2.0s]   finished in 2.0s" in shown
    assert shown[-3:] == [
        "[   5.0s]     iam: CreateRole -> 200 in 0.5s",
        "[   6.0s] warning: something",
        "[   7.0s]   create Role: failed in 5.0s: no",
    ]


def test_json_lines_are_the_events() -> None:
    target = io.StringIO()
    show = JsonLines(target)
    for event in story():
        show(event)

    assert [json.loads(line) for line in target.getvalue().splitlines()] == [
        json.loads(json.dumps(event.as_json())) for event in story()
    ]


@pytest.mark.parametrize("kind", [PlainLines, JsonLines])
def test_lines_reach_the_stream_at_once(kind: type[PlainLines] | type[JsonLines]) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    kind(stream)(PhaseStarted(at=START, phase="p", title="Working"))

    assert b"Working" in raw.getvalue()


def test_a_short_wait_is_not_worth_a_line_and_a_long_one_is() -> None:
    target = io.StringIO()
    show = PlainLines(target, patience=3600.0)
    wait = StepWaiting(at=START, key="role", what="the role to be usable")
    done = StepFinished(
        at=START, key="role", title="Role", change="create", result="done", seconds=1.0
    )
    show(wait)
    show(done)
    show.stop()
    assert "waiting" not in target.getvalue()

    told = threading.Event()

    class Telling(io.StringIO):
        def flush(self) -> None:
            told.set()

    long = Telling()
    PlainLines(long, patience=0.01)(wait)
    assert told.wait(10)
    assert "waiting for the role to be usable" in long.getvalue()
