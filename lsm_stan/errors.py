"""The errors lsm-stan raises on purpose, each carrying one sentence for the user."""


class LsmStanError(Exception):
    """Base of every error that is the user's, the machine's or the fit's, not a bug."""

    exit_code = 1


class InputError(LsmStanError, ValueError):
    """Bad input: a network, a configuration or an argument that cannot be used.

    The message names the file, the node or cell, the value, and what would be accepted.
    """

    exit_code = 2


class DamagedError(InputError):
    """A fit's folder that was whole once; the fit has to be run again."""


class ToolchainError(LsmStanError, RuntimeError):
    """CmdStan, the compiler or make is missing, or a Stan program does not compile."""


class InferenceError(LsmStanError, RuntimeError):
    """A CmdStan executable failed; the message carries its own last lines."""


class MachineError(LsmStanError, OSError):
    """The machine does not give what is needed: space, memory, a folder that can be written.

    The message names the file or folder, what the system says, and what helps.
    """


def describe_os_error(error: OSError) -> str:
    """Return what an error of the system says, and of which file.

    Parameters
    ----------
    error : OSError
        The error.

    Returns
    -------
    str
    """
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"
