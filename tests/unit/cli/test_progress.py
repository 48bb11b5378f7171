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
    StepWaited,
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

    def __init__(self, width: int = 80, height: int = 50) -> None:
        self.now = START
        self.target = io.StringIO()
        self.console = Console(
            file=self.target, width=width, height=height, highlight=False, emoji=False
        )
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


def test_the_tree_shows_what_is_done_what_runs_why_it_waits_and_what_comes() -> None:
    screen = Screen()
    screen.tell(*story())

    assert screen.drawn() == (
        "✓ Looking around  2.0s · 1 of 2 checks passed\n"
        "⠹ Making it so  2.0s · 1 of 4 done\n"
        "  ✓ Bucket    1.0s\n"
        "  ⠹ Role      2.0s  waiting for the role to be usable: AccessDenied\n"
        "  ○ Gateway   after Role\n"
        "  ○ Operator  after Gateway\n"
    )


def test_what_came_of_each_step_stays() -> None:
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
        "  ✓ Bucket    1.0s\n"
        "  ✗ Role      7.0s  AccessDenied\n"
        "  ○ Gateway   skipped\n"
        "  ○ Operator  skipped\n"
    )


def test_on_a_narrow_screen_a_wait_goes_below_and_is_shortened() -> None:
    screen = Screen(width=40)
    screen.tell(*story(), StepWaiting(at=START + 5, key="r", what="some words " * 20))

    lines = screen.drawn().splitlines()
    assert max(len(line) for line in lines) <= 40
    assert lines[4:7] == [
        "  ⠋ Role      3.0s",
        "      waiting for some words some words",
        "      some words some words some words…",
    ]


def test_a_low_screen_shows_what_runs_and_counts_the_rest_until_the_end() -> None:
    screen = Screen(height=6)
    screen.tell(*story())

    assert screen.drawn().splitlines()[1:] == [
        "⠹ Making it so  2.0s · 1 of 4 done",
        "  ⠹ Role  2.0s  waiting for the role to be usable: AccessDenied",
        "  ○ 2 to come",
    ]
    screen.tree.stop()
    assert len(screen.drawn().splitlines()) == 6


def test_what_a_need_needs_is_not_named_beside_it() -> None:
    screen = Screen()
    needs: dict[str, tuple[str, ...]] = {"a": (), "b": ("a",), "c": ("a", "b")}
    screen.tell(PhaseStarted(at=START, phase="apply", title="Working"))
    screen.tell(
        *(
            StepQueued(at=START, key=key, title=key.upper(), change="create", needs=needs[key])
            for key in needs
        )
    )

    assert "  ○ C  after B\n" in screen.drawn()


def test_a_phase_that_never_ended_is_not_shown_as_done() -> None:
    screen = Screen()
    screen.tell(*story())
    screen.tree.stop()

    assert "✗ Making it so  2.0s · 1 of 4 done · 2 skipped\n" in screen.drawn()
    assert "  ✗ Role      2.0s  not finished\n" in screen.drawn()
    assert "⠋" not in screen.drawn()


@pytest.mark.parametrize(
    ("status", "line"),
    [("pass", "✓ Working  1.0s · 1 check passed\n"), ("fail", "✗ Working  1.0s · 0 of 1 checks")],
)
def test_checks_without_a_phase_tell_by_themselves_whether_all_is_well(
    status: str, line: str
) -> None:
    screen = Screen()
    screen.tell(CheckFinished(at=START, code="nodes", title="Nodes", status=status))
    screen.now = START + 1
    screen.tree.stop()

    assert screen.drawn().startswith(line)


def test_commands_in_a_notice_are_on_lines_of_their_own() -> None:
    screen = Screen(width=30)
    command = "anyscale cloud delete prod --region us-west-2"
    screen.tree(Notice(at=START, level="info", text=f"some words to wrap, to go on:\n{command}"))

    assert screen.target.getvalue().splitlines() == [
        "  some words to wrap, to go",
        "  on:",
        f"    {command}",
    ]


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
    show = PlainLines(target, verbose=verbose)
    for event in events:
        show(event)
    return target.getvalue().splitlines()


def test_what_is_only_waited_for_has_words_of_its_own() -> None:
    known = {"key": "g", "title": "Gateway", "change": "none"}
    told = [
        StepStarted(at=START, **known),
        StepFinished(at=START + 40, result="failed", seconds=40.0, note="nobody answers", **known),
        StepFinished(at=START + 41, result="done", seconds=1.0, **known),
    ]
    assert plain(told) == [
        "[  40.0s]   ✗ waiting for Gateway failed after 40s: nobody answers",
        "[  41.0s]   ✓ waited for Gateway (1.0s)",
    ]


def test_plain_lines_word_for_word() -> None:
    told = [
        *story(),
        StepFinished(
            at=START + 7,
            key="r",
            title="Role",
            change="create",
            result="failed",
            seconds=5.0,
            note="no",
        ),
        StepFinished(
            at=START + 7,
            key="g",
            title="Gateway",
            change="create",
            result="skipped",
            seconds=0.0,
            note="what it needs has failed",
        ),
        Notice(at=START + 8, level="info", text="to go on:\nanyscale cloud delete prod"),
    ]

    assert plain(told) == [
        "[   0.0s] Looking around",
        "[   1.0s]   ! Not so: GPUs: none (check gpu)",
        "[   2.0s] Making it so",
        "[   3.0s]   ✓ created Bucket (1.0s)",
        "[   7.0s]   ✗ creating Role failed after 5.0s: no",
        "[   7.0s]   ○ skipped Gateway: what it needs has failed",
        "[   8.0s]   to go on: anyscale cloud delete prod",
    ]


def test_plain_lines_with_everything() -> None:
    told = [
        *story(),
        CallMade(at=START + 5, service="iam", call="CreateRole", status="200", seconds=0.5),
        Notice(at=START + 6, level="warning", text="something"),
    ]

    assert plain(told, verbose=True) == [
        "[   0.0s] Looking around",
        "[   1.0s]   ✓ Nodes (check nodes)",
        "[   1.0s]   ! Not so: GPUs: none (check gpu)",
        "[   2.0s]   finished in 2.0s",
        "[   2.0s] Making it so",
        "[   2.0s]   … creating Bucket",
        "[   2.0s]   … creating Role",
        "[   3.0s]   ✓ created Bucket (1.0s)",
        "[   4.0s]   … creating Role: waiting for the role to be usable (AccessDenied)",
        "[   5.0s]     iam: CreateRole → 200 in 0.5s",
        "[   6.0s] warning: something",
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


class Waiting:
    """Plain lines with a clock that the test sets."""

    def __init__(self) -> None:
        self.now = START
        self.target = io.StringIO()
        self.lines = PlainLines(self.target, clock=lambda: self.now)

    def told_after(self, seconds: float) -> list[str]:
        self.now = START + seconds
        self.target.truncate(0)
        self.target.seek(0)
        self.lines.tick()
        return self.target.getvalue().splitlines()


def test_what_lasts_is_told_with_its_reason_and_more_and_more_rarely() -> None:
    screen = Waiting()
    screen.lines(StepStarted(at=START, key="r", title="Role", change="create"))
    assert screen.told_after(1) == []
    assert screen.told_after(2) == ["[   2.0s]   … creating Role, 2.0s so far"]

    screen.lines(StepWaiting(at=START + 3, key="r", what="it to be usable", detail="AccessDenied"))
    assert screen.told_after(5) == []
    assert screen.told_after(6) == [
        "[   6.0s]   … creating Role, 6.0s so far: waiting for it to be usable (AccessDenied)"
    ]
    assert screen.told_after(13) == []
    assert len(screen.told_after(14)) == 1


def test_what_is_over_is_not_told() -> None:
    screen = Waiting()
    done = {"change": "create", "result": "done", "seconds": 1.0}
    screen.lines(StepStarted(at=START, key="r", title="Role", change="create"))
    screen.lines(StepFinished(at=START + 1, key="r", title="Role", **done))
    screen.lines(StepWaiting(at=START + 1, key="", what="a report"))
    # Of what is only looked at no step begins or ends.
    screen.lines(StepWaiting(at=START + 1, key="gateway", what="an address"))
    screen.lines(PhaseFinished(at=START + 1, phase="verify", seconds=1.0))

    assert screen.told_after(60) == []


def test_a_wait_of_no_step_is_told_too() -> None:
    screen = Waiting()
    screen.lines(StepWaiting(at=START, key="", what="a report", detail="none yet"))

    assert screen.told_after(2) == ["[   2.0s]   … waiting for a report (none yet), 2.0s so far"]


def test_what_was_waited_for_and_is_there_is_told_no_longer() -> None:
    """Of what is only looked at, and of a step that goes on."""
    screen, lines = Screen(), Waiting()
    for event in (
        PhaseStarted(at=START, phase="apply", title="Making"),
        StepStarted(at=START, key="r", title="Role", change="create"),
        StepWaiting(at=START, key="r", what="it to be usable"),
        StepWaiting(at=START, key="gateway", what="an address"),
        StepWaited(at=START, key="r", what="it to be usable"),
        StepWaited(at=START, key="gateway", what="an address"),
    ):
        screen.tell(event)
        lines.lines(event)

    assert "waiting" not in screen.drawn()
    assert lines.told_after(2) == ["[   2.0s]   … creating Role, 2.0s so far"]


def two_checks_that_wait() -> list[Event]:
    """One of them is over."""
    return [
        PhaseStarted(at=START, phase="verify", title="Checking"),
        StepWaiting(at=START, key="gpu", what="a pod", detail="no node has room"),
        StepWaiting(at=START, key="job", what="another pod", detail="it runs"),
        CheckFinished(at=START + 1, code="job", title="A job", status="pass"),
    ]


def test_what_a_check_waits_for_ends_with_it_and_with_no_other() -> None:
    screen, lines = Screen(), Waiting()
    for event in two_checks_that_wait():
        screen.tell(event)
        lines.lines(event)

    assert "waiting for a pod: no node has room" in screen.drawn()
    assert "another pod" not in screen.drawn()
    assert lines.told_after(2) == [
        "[   2.0s]   … waiting for a pod (no node has room), 2.0s so far"
    ]


def test_somebody_looks_at_the_clock_from_start_to_stop() -> None:
    told = threading.Event()

    class Telling(io.StringIO):
        def flush(self) -> None:
            told.set()

    lines = PlainLines(Telling(), clock=lambda: START + 60)
    lines(StepStarted(at=START, key="r", title="Role", change="create"))
    assert not told.is_set()
    lines.start()
    assert told.wait(10)
    lines.stop()
