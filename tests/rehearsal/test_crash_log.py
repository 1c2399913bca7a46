"""Internal errors: the traceback goes to a file, the message names it."""

from __future__ import annotations

from pathlib import Path

from rehearsal import crash_log


def raised(text: str) -> Exception:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_tracebacks_are_appended(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    log = folder / "errors.log"
    assert [crash_log.record(raised(text), folder) for text in ("first", "second")] == [log, log]
    content = log.read_text()
    assert content.count("Traceback") == 2
    assert content.index("first") < content.index("second")


def test_error_names_the_log(tmp_path: Path) -> None:
    error = crash_log.internal(raised("no"), tmp_path)
    assert error.message == "internal error in the rehearsal: ValueError: no"
    assert str(tmp_path / "errors.log") in error.remedy
    assert crash_log.internal(raised(""), tmp_path).message.endswith("ValueError")


def test_folder_that_is_not_writable_leaves_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = crash_log.internal(raised("no"), tmp_path / "file")
    assert (error.message, error.remedy) == ("internal error in the rehearsal: ValueError: no", "")
