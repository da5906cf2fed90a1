"""The errors that a user can cause or mend.

    ClusterImageError            what is wrong, where, and what to do next
     +- ConfigError              versions.toml, a lock, a variable, a Kubefile
         +- NewerFormatError     a file that a newer clusterimage wrote
     +- FetchError               a server did not give what was asked for (knows whether trying again can help)
     +- DigestMismatch           bytes differ from their pin
     +- CollisionError           two owners of one path
     +- FindingsError            all that a check found, one line each

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class ClusterImageError(Exception):
    """Say what is wrong and where (`problem`), and what to do next (`hint`): one line each."""

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.problem}\n  hint: {self.hint}" if self.hint else self.problem


class ConfigError(ClusterImageError):
    """Something that the user wrote is not valid."""


class NewerFormatError(ConfigError):
    """A newer clusterimage wrote the file at `where`, in `format`; this one reads up to `known` and changes nothing."""

    def __init__(self, where: str, format: int, known: int) -> None:
        hint = "use that newer clusterimage, or move the file away and lock again"
        super().__init__(
            f"{where}: format {format} is newer than {known}, the newest that this version reads", hint=hint
        )


class FetchError(ClusterImageError):
    """A server did not give what was asked for; `retryable` says whether the same request may succeed later.

    `wait` is how many seconds the server asks to leave it alone, None where it says nothing, `status` its HTTP status
    where there is one, `said` the server's own words, or those of a connection that failed; `progress` says that some
    of it came and is kept.
    """

    progress = False

    def __init__(
        self,
        problem: str,
        *,
        hint: str = "",
        retryable: bool = False,
        wait: float | None = None,
        status: int = 0,
        said: str = "",
    ) -> None:
        super().__init__(problem, hint=hint)
        self.retryable = retryable
        self.said = said
        self.wait = wait
        self.status = status


class DigestMismatch(ClusterImageError):
    """The bytes of `source` are not the pinned ones; they were thrown away."""

    def __init__(self, source: str, *, expected: str, actual: str) -> None:
        hint = "the upstream changed or lies: compare with its release page, then `doit lock` if the change is meant"
        super().__init__(f"{source}: expected {expected}, got {actual}", hint=hint)


class CollisionError(ClusterImageError):
    """Two parts bring different content for one path."""

    def __init__(self, path: str, first: str, second: str) -> None:
        super().__init__(f"{path}: both {first} and {second} bring it, with different content", hint="drop one of them")


class FindingsError(ClusterImageError):
    """A check of `what` found something: `findings`, each one line."""

    def __init__(self, what: str, findings: tuple[str, ...], *, hint: str = "") -> None:
        count = f"{len(findings)} finding{'' if len(findings) == 1 else 's'}"
        super().__init__(f"{what}: {count}", hint=hint)
        self.findings = findings

    def __str__(self) -> str:
        hint = (f"  hint: {self.hint}",) if self.hint else ()
        return "\n".join((self.problem, *(f"  {line}" for line in self.findings), *hint))


def shown(text: str, most: int = 300) -> str:
    r"""Return text of others for a message: on one line, control characters escaped, and cut after `most` characters.

    >>> shown("two\r\nlines, \x1b[31mred")
    'two lines, \\x1b[31mred'
    >>> shown("long", most=2)
    'lo…'
    """
    line = " ".join(text[: 4 * most].split())
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return safe if len(safe) <= most else f"{safe[:most]}…"


def from_os_error(error: OSError) -> ClusterImageError | None:
    """Return the user error that `error` stands for (full disk, no permission, closed pipe), or None for a bug."""
    import errno

    hints = {
        errno.ENOSPC: "free some space, or build elsewhere; finished downloads are kept",
        errno.EDQUOT: "free some space in your quota; finished downloads are kept",
        errno.EROFS: "build in a writable directory",
        errno.EACCES: "check the owner and mode of that path",
        errno.EPERM: "check the owner and mode of that path",
        errno.EIO: "the disk failed: see the system's log",
        errno.EPIPE: "what read the output has ended, and the run with it; the same command goes on from here",
        errno.EFBIG: "the file system or a limit (ulimit -f) does not allow a file of that size",
    }
    if error.errno not in hints:
        return None
    where = error.filename2 or error.filename or "writing"
    return ClusterImageError(f"{where}: {(error.strerror or str(error)).lower()}", hint=hints[error.errno])
