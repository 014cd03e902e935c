"""The exceptions of mrs and the exit codes they end in.

Every message says what was expected, what came, and what to type next.
"""

EXIT_INTERRUPTED = 130


def tell(error: BaseException, **facts: str) -> None:
    """Put what a message needs on an exception: `where` it came from, what is `kept`."""
    for name, value in facts.items():
        setattr(error, name, value)


def told(error: BaseException, name: str) -> str:
    """Return what :func:`tell` put there; empty where it did not."""
    return str(getattr(error, name, "") or "")


class MrsError(Exception):
    """Anything that went wrong for a reason the user can act on."""

    exit_code = 1


class UsageError(MrsError):
    """An option or a name that does not exist, or a value out of range."""

    exit_code = 2


class InputError(MrsError):
    """A file that is missing, broken, or not what it claims to be."""

    exit_code = 3


class MissingError(MrsError):
    """A weight file, a licence file or an extra that has to be installed first."""

    exit_code = 4


class NoPersonError(MrsError):
    """A video in which nobody was found, or nobody for long enough."""

    exit_code = 5


class PluginError(MrsError):
    """A plugin that does not fit its stage."""


def reason(error: Exception, longest: int = 200) -> str:
    """What an exception of a library says, in one line and not more than `longest` characters of it; its name where it says nothing."""
    told = " ".join(str(error).split()) or type(error).__name__
    return told if len(told) <= longest else f"{told[:longest]}..."
