"""How a command ends: its exit code, and what is done about signals."""

from __future__ import annotations

import os
import signal
import sys
import threading
from enum import IntEnum
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from arkham_shard_export.cli.common import CommandFailed, TooLong, WrongUsage
from arkham_shard_export.errors import ExportError, InvalidRequest, ServiceUnavailable
from arkham_shard_export.standalone.errors import DatabaseNotReached, HostNotStarted

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_SECONDS = 0.05


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    RUNNING = 4


MEANINGS = {
    int(Exit.DONE): "done; check: all is well",
    int(Exit.FAILED): "failed, no file was left; batch: a part failed; check: something is wrong",
    int(Exit.USAGE): "asked for wrongly: something unknown, or a wrong value",
    int(Exit.UNREACHABLE): "host, database or store does not answer; another try may succeed",
    int(Exit.RUNNING): "remote wait: the job has not ended within --timeout",
    128 + signal.SIGHUP: "the terminal was closed (SIGHUP)",
    128 + signal.SIGINT: "interrupted (Ctrl-C, SIGINT)",
    128 + signal.SIGPIPE: "who reads the output has gone away (SIGPIPE)",
    128 + signal.SIGTERM: "terminated (SIGTERM)",
}
"""Every exit code, as a shell sees it: of a signal 128 and its number."""


def exit_of(error: BaseException) -> Exit | None:
    """The exit code for an error whose text is for people; None for any other error, which is a fault of ours."""
    if isinstance(error, InvalidRequest | WrongUsage):
        return Exit.USAGE
    if isinstance(error, TooLong):
        return Exit.RUNNING
    if isinstance(error, ServiceUnavailable | DatabaseNotReached) or (
        isinstance(error, ExportError) and error.passing
    ):
        return Exit.UNREACHABLE
    if isinstance(error, ExportError | CommandFailed | HostNotStarted):
        return Exit.FAILED
    return _client_exit(error)


def _client_exit(error: BaseException) -> Exit | None:
    """Of the client's errors, where it was needed at all."""
    client = sys.modules.get("arkham_shard_export.client.errors")
    if client is None or not isinstance(error, client.ClientError):
        return None
    if isinstance(error, client.Unreachable):
        return Exit.UNREACHABLE
    if isinstance(error, client.Refused):
        return Exit.USAGE if error.status == 422 else Exit.UNREACHABLE if error.status == 503 else Exit.FAILED
    return Exit.FAILED


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end; what it has begun is cleared away on the way out."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.strsignal(number))


def heed_signals() -> None:
    """Have SIGINT, SIGTERM and SIGHUP end the command by Stopped, unless whoever started it has them ignored.

    A second signal does not disturb what is being cleared away, a third ends the process at once.
    """
    received = 0

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if received == 1:
            raise Stopped(number)
        if received > 2:
            die_of(number)

    def ignored(what: UnraisableHookArgs) -> None:
        nonlocal received
        if isinstance(what.exc_value, Stopped):
            # It came while an object was being destroyed, where exceptions end: once more, when that is over.
            received = 0
            again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), what.exc_value.number))
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(what)

    sys.unraisablehook = ignored
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(each, stop)


def die_of(number: int) -> NoReturn:
    """End as a process ends that does not handle the signal: a shell's loop then ends with it."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    # The first process of a container is spared by its own signals.
    os._exit(128 + number)
