"""The page on the architecture is true: its examples run, in order, and print what it says."""

import contextlib
import io
import re

import pytest

from tests.conftest import PROJECT

PAGE = PROJECT / "lib" / "ARCHITECTURE.md"
BLOCKS = re.findall(r"^```(python|text)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def test_every_example_prints_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    names: dict[str, object] = {}
    printed = ""
    told = 0
    for kind, body in BLOCKS:
        if kind == "text":
            assert lines(printed) == lines(body)
            printed, told = "", told + 1
            continue
        assert not printed, "what an example prints stands below it"
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(body, str(PAGE), "exec"), names)  # noqa: S102  (our own page)
        printed = out.getvalue()
    assert told == 3
    assert not printed


def test_every_file_it_names_is_there() -> None:
    named = [path for path in re.findall(r"`([\w/]+\.(?:py|yml))`", PAGE.read_text(encoding="utf-8")) if path != "decision.py"]
    assert len(named) > 2
    assert not [path for path in named if not any((base / path).exists() for base in (PROJECT, PROJECT / "lib" / "collect_analysis"))]
