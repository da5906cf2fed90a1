"""The errors that a user sees: what is wrong and where, and what to do next."""

from __future__ import annotations

import errno

import pytest

from clusterimage.values.errors import (
    ClusterImageError,
    CollisionError,
    ConfigError,
    DigestMismatch,
    FetchError,
    FindingsError,
    from_os_error,
)


def test_an_error_says_the_problem_and_then_the_hint() -> None:
    assert str(ClusterImageError("a: is wrong", hint="mend it")) == "a: is wrong\n  hint: mend it"


def test_without_a_hint_an_error_is_its_problem() -> None:
    assert str(ClusterImageError("a: is wrong")) == "a: is wrong"


def test_a_failed_fetch_is_final_unless_told_otherwise() -> None:
    error = FetchError("u: 404")

    assert (error.retryable, error.wait, error.status, error.hint) == (False, None, 0, "")


def test_a_mismatch_names_both_digests() -> None:
    error = DigestMismatch("kubectl https://x/kubectl", expected="sha256:1", actual="sha256:2")

    assert error.problem == "kubectl https://x/kubectl: expected sha256:1, got sha256:2"
    assert "doit lock" in error.hint


def test_a_collision_names_both_owners() -> None:
    error = CollisionError("bin/x", "kubectl", "overlay o")

    assert error.problem == "bin/x: both kubectl and overlay o bring it, with different content"
    assert error.hint == "drop one of them"


@pytest.mark.parametrize(
    ("findings", "hint", "text"),
    [
        (("a is b",), "mend it", "dist/x: 1 finding\n  a is b\n  hint: mend it"),
        (("a is b", "c is d"), "", "dist/x: 2 findings\n  a is b\n  c is d"),
    ],
)
def test_findings_are_counted_and_all_named(findings: tuple[str, ...], hint: str, text: str) -> None:
    assert str(FindingsError("dist/x", findings, hint=hint)) == text


@pytest.mark.parametrize("kind", [ConfigError, FetchError, CollisionError, DigestMismatch])
def test_every_error_is_one_that_a_user_can_mend(kind: type) -> None:
    assert issubclass(kind, ClusterImageError)


@pytest.mark.parametrize(
    ("number", "problem", "hint"),
    [
        (errno.ENOSPC, "/d/f: no space left on device", "free some space"),
        (errno.EDQUOT, "/d/f: disk quota exceeded", "quota"),
        (errno.EROFS, "/d/f: read-only file system", "writable directory"),
        (errno.EACCES, "/d/f: permission denied", "owner and mode"),
        (errno.EPERM, "/d/f: operation not permitted", "owner and mode"),
        (errno.EIO, "/d/f: input/output error", "the disk failed"),
        (errno.EPIPE, "/d/f: broken pipe", "what read the output has ended"),
        (errno.EFBIG, "/d/f: file too large", "ulimit -f"),
    ],
)
def test_what_the_system_refuses_is_a_user_error(number: int, problem: str, hint: str) -> None:
    import os

    error = from_os_error(OSError(number, os.strerror(number), "/d/f"))

    assert error is not None
    assert error.problem == problem
    assert hint in error.hint


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "no such file", "f"), OSError("odd")])
def test_any_other_system_error_is_a_bug(error: OSError) -> None:
    assert from_os_error(error) is None


def test_of_two_paths_the_one_written_to_is_named() -> None:
    error = from_os_error(OSError(errno.EACCES, "Permission denied", "from", None, "to"))

    assert error is not None and error.problem == "to: permission denied"


def test_an_error_without_a_path_says_that_writing_failed() -> None:
    error = from_os_error(OSError(errno.ENOSPC, "No space left on device"))

    assert error is not None and error.problem == "writing: no space left on device"
