"""The output of a pack's process: its first line, and the error in its last lines."""

from __future__ import annotations

from rehearsal.policy.pack_output import FirstLine, Tail


def test_only_the_first_line_is_taken() -> None:
    line = FirstLine()
    assert line.offer("50051\n")
    assert not line.offer("more\n")
    assert line.wait(0) == "50051\n"


def test_end_of_the_output_and_a_timeout_are_distinguished() -> None:
    line = FirstLine()
    assert line.wait(0) is None
    line.end()
    assert line.wait(0) == ""


def tail(*lines: str) -> Tail:
    found = Tail()
    for line in lines:
        found.add(f"{line}\n")
    found.end()
    return found


def test_last_exception_is_the_error() -> None:
    text = tail("ValueError: first", "  File x", "LookupError: second", "").last_error()
    assert text == "LookupError: second"


def test_error_of_the_pack_itself_includes_its_list() -> None:
    assert tail("noise", "error: the configuration is wrong:", "  - a", "  - b").last_error() == (
        "the configuration is wrong:\n  - a\n  - b"
    )
