"""One command at work: its listeners, its time limit, its interruption, its end.

Python's own answer to Ctrl-C would tear the event loop down in the middle of a
call. Here a signal asks the run to stop, what is in flight is finished, and
only when that takes too long does the process end at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Protocol, Self, TextIO, TypeVar

import typer

from anyscale_k8s_cli import errors
from anyscale_k8s_cli.cli import console, crash, output
from anyscale_k8s_cli.cli.log_file import LogFile
from anyscale_k8s_cli.cli.options import Common
from anyscale_k8s_cli.cli.render.errors import write_error
from anyscale_k8s_cli.cli.render.lines import JsonLines, PlainLines
from anyscale_k8s_cli.cli.side_file import SideFile
from anyscale_k8s_cli.events import Event, Notice
from anyscale_k8s_cli.run import Listener, Run

T = TypeVar("T")

# Seconds from the first signal until the process ends in any case; the promise is ten.
GRACE = 8.0
_WORKERS = 32
_RESUME = "run the same command again to go on"


class Display(Protocol):
    """Shows events while work is going on."""

    def __call__(self, event: Event) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Session:
    """The life of one command, as a context.

    With `--sandbox` the environment is replaced before anything reads it, which
    some libraries do when they are imported: commands import operations inside.
    `starts_sandbox` says whether one may be started for this command.
    """

    def __init__(self, common: Common, *, schema: str, starts_sandbox: bool = False) -> None:
        self.common = common
        self.schema = schema
        if common.sandbox:
            from anyscale_k8s_cli.cli.sandbox import attachment

            attachment.attach(start=starts_sandbox)
        # What libraries log of themselves is told by us, as an event or an error; with no
        # handler at all, warnings of theirs would be printed between our lines.
        logging.getLogger().addHandler(logging.NullHandler())
        self.environment: Mapping[str, str] = dict(os.environ)
        self._files = ExitStack()
        self._display = self._choose_display()
        self._log = self._opened_log()
        listeners: tuple[Listener, ...] = (self._display, *self._file_listeners())
        self.run = Run(listeners, deadline=time.monotonic() + common.timeout)
        # Steps wait in threads, more of them than the machine has cores.
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="step")
        self._runner = asyncio.Runner()
        self._interruption = Interruption(self.run, self._end_at_once)
        self._limit: threading.Timer | None = None

    def __enter__(self) -> Self:
        self._interruption.listen()
        self._watch_limit()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.run.resources.close()
            self._runner.close()
        finally:
            self._forget_limit()
            self._interruption.over()
            if self._log is not None and isinstance(problem, errors.CliError):
                self._log.ended(int(problem.exit_code), problem.as_json())
            self._files.close()
        expected = (errors.CliError, typer.Exit, typer.Abort, typer.TyperException)
        if isinstance(problem, Exception) and not isinstance(problem, expected):
            raise crash.told(problem, self.common.log_file) from problem

    def execute(self, work: Callable[[Run], Coroutine[Any, Any, T]]) -> T:
        """Do a piece of work on the command's event loop, showing its progress."""

        async def on_the_loop() -> T:
            self.run.loop = asyncio.get_running_loop()
            self.run.loop.set_default_executor(self._workers)
            return await work(self.run)

        self._display.start()
        try:
            with self._interruption.deferred():
                result = self._runner.run(on_the_loop())
        finally:
            self._display.stop()
        return result

    def off_the_clock(self, question: Callable[[], T]) -> T:
        """Ask a person; the time they take does not count against `--timeout`."""
        asked = time.monotonic()
        self._forget_limit()
        answer = question()
        if self.run.deadline is not None:
            self.run.deadline += time.monotonic() - asked
        self._watch_limit()
        return answer

    def showing(self, show: Callable[..., None], header: output.Document) -> output.Renderer:
        """A renderer of documents that stand under a head, as much in detail as was asked for."""
        from anyscale_k8s_cli.cli.sandbox import attachment

        head = {**header, "sandbox": attachment.inside(self.environment)}
        return lambda document, console: show(document, head, console, verbose=self.common.verbose)

    def narrate(self, document: output.Document, render: output.Renderer) -> None:
        """Show something on the way to the result, on standard error.

        Not between events that a program reads there.

        Raises what ended the run, if a signal came too late for the work before this.
        """
        self.run.check()
        if self.common.events != "-" or console.is_terminal(sys.stderr):
            render(document, console.rich_console(sys.stderr))
            sys.stderr.flush()
        if self._log is not None:
            self._log.show(document, render)

    def finish(self, document: output.Document, render: output.Renderer, *, code: int = 0) -> int:
        """Show the result; the exit code is that of the error in it, else `code`."""
        output.write(document, self.common.output, render)
        error = document.get("error")
        if error and self.common.output == "text":
            write_error(error, sys.stderr)
        code = output.exit_code(document) or code
        if self._log is not None:
            self._log.show(document, render)
            self._log.ended(code, error)
        return code

    def _choose_display(self) -> Display:
        if self.common.events == "-":
            return JsonLines(sys.stderr)
        if console.live_wanted(sys.stderr):
            from anyscale_k8s_cli.cli.render.live import LiveTree

            return LiveTree(console.rich_console(sys.stderr), verbose=self.common.verbose)
        shown = self.common.output == "text"
        return PlainLines(sys.stderr, verbose=self.common.verbose, checks=not shown)

    def _file_listeners(self) -> list[Listener]:
        found: list[Listener] = []
        if self.common.events and self.common.events != "-":
            found.append(JsonLines(self._opened(self.common.events, "--events")))
        if self._log is not None:
            found.append(self._log)
        return found

    def _opened_log(self) -> LogFile | None:
        if self.common.log_file is None:
            return None
        return LogFile(self._opened(os.fspath(self.common.log_file), "--log-file"))

    def _opened(self, path: str, option: str) -> TextIO:
        return self._files.enter_context(SideFile(Path(path), option))

    def _watch_limit(self) -> None:
        """Calls without an answer keep their threads; the process ends after the limit anyway."""
        left = self.run.remaining() or 0.0
        self._limit = threading.Timer(
            left + GRACE, lambda: self._end_at_once(self.run.out_of_time())
        )
        self._limit.daemon = True
        self._limit.start()

    def _forget_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _end_at_once(self, problem: errors.CliError) -> None:
        """The last resort, from the thread that waits: tell, and leave without clean-up."""
        self._display.stop()
        given_up = "what was in flight did not end in time and was given up"
        error = replace(problem, cause=": ".join(filter(None, (problem.cause, given_up))))
        if self.common.output == "text":
            write_error(error.as_json(), sys.stderr)
        else:
            document = {"schema": self.schema, "error": error.as_json()}
            output.write(document, self.common.output, lambda *_: None)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(int(error.exit_code))


class Interruption:
    """Ctrl-C and SIGTERM: the first asks, the second or too long a wait ends the process."""

    def __init__(self, run: Run, end: Callable[[errors.CliError], None]) -> None:
        self._run = run
        self._end = end
        self._working = False
        self._asked = False
        self._over = False
        self._hurry = threading.Event()
        self._before: dict[int, Any] = {}

    def listen(self) -> None:
        """Take over the signals. Only the main thread can; elsewhere nothing happens."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)

    def over(self) -> None:
        """Give the signals back."""
        self._over = True
        self._hurry.set()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def deferred(self) -> _Working:
        """While inside, a signal asks the run to stop; outside, it is raised at once."""
        return _Working(self)

    def working(self, value: bool) -> None:
        self._working = value

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        code = errors.TERMINATED if number == signal.SIGTERM else errors.INTERRUPTED
        if not self._working:
            raise interrupted(code)
        if self._asked:
            self._hurry.set()
            return
        self._asked = True
        self._run.stop(code)
        # Not from here: the signal may have come in the middle of a write.
        threading.Thread(target=self._wind_down, args=(code,), daemon=True).start()

    def _wind_down(self, code: errors.ErrorCode) -> None:
        self._run.emit(
            Notice(level="warning", text="Stopping; once more to end at once without clean-up")
        )
        self._hurry.wait(GRACE)
        if not self._over:
            self._end(interrupted(code))


class _Working:
    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption

    def __enter__(self) -> None:
        self._interruption.working(True)

    def __exit__(self, *_: object) -> None:
        self._interruption.working(False)


def interrupted(code: errors.ErrorCode) -> errors.CliError:
    """What a person is told when a signal ended the command."""
    message = "Terminated" if code is errors.TERMINATED else "Interrupted"
    return errors.CliError(code, message, fix=_RESUME)
