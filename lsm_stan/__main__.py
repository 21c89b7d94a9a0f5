"""What ``lsm-stan`` and ``python -m lsm_stan`` run: the commands, with signals and errors."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from lsm_stan.cli import app
from lsm_stan.errors import InputError, LsmStanError, describe_os_error
from lsm_stan.interrupts import Stop
from lsm_stan.progress import clear_line, print_progress, say_that_work_goes_on


def main() -> None:
    """Run the command line: exit code 0 is good, 2 bad usage or input, 1 failure, 130 a stop."""
    try:
        Path.cwd()
    except OSError:  # libraries look into it when they are loaded
        print_progress("error: the working directory is not there any more; change to another")
        sys.exit(InputError.exit_code)
    stop = Stop()
    for interrupt in (signal.SIGINT, signal.SIGTERM):
        signal.signal(interrupt, stop)
    quiet_again = say_that_work_goes_on()
    try:
        app()
    except (LsmStanError, OSError) as error:  # the system's too, wherever they come from
        from lsm_stan import terminal

        terminal.complain(describe_os_error(error) if isinstance(error, OSError) else str(error))
        sys.exit(getattr(error, "exit_code", LsmStanError.exit_code))
    except KeyboardInterrupt:  # one more, while typer says that it was stopped
        sys.exit(130)
    finally:
        quiet_again.set()
        clear_line()
        # whoever presses Ctrl-C twice must not stop the removal of temporary folders
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
