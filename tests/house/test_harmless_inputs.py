"""A guard is proved with input that harms nobody: nothing in the repository would do damage in a tool that lacks the guard."""

import re
import subprocess

import pytest

from tests.conftest import PROJECT

# Written in two parts, so that this file holds none of them either.
HARMFUL = {
    "script": re.compile("<scr" + r"ipt[^>]*>\s*\w+\s*\(|java" + r"script:\w|\bon(?:error|load|click)\s*=\s*['\"]?\w+\("),
    "code in a name": re.compile(r"__imp" + r"ort__\s*\(\s*\\?['\"](?:os|subprocess|sys)|\bos\.sys" + "tem\\b"),
    "object tag": re.compile("!!pyt" + "hon"),
    "aliases that multiply": re.compile(r"\[\s*\*(\w+)\s*,\s*\*\1\s*,\s*\*\1"),
    "entities that multiply": re.compile("<!ENT" + "ITY"),
    "path of a system file": re.compile(r"/etc" + r"/\w|/proc/self" + "/env"),
    "statement in a name": re.compile(r"(?i);\s*dr" + "op table|' or '?1'?\\s*=" + "\\s*'?1"),
    "formula that calls a program": re.compile(r"(?i)=\s*(?:cmd\||dde\(|hyperlink\(|webservice\(|importxml\()"),
}
TEXTS = (".py", ".ipynb", ".yml", ".yaml", ".csv", ".sh", ".md", ".j2", ".json", ".toml", ".css")
FILES = [name for name in subprocess.check_output(["git", "ls-files"], cwd=PROJECT, text=True).splitlines() if name.endswith(TEXTS)]


@pytest.mark.parametrize("kind", HARMFUL)
def test_e4_no_file_holds_input_that_harms_a_tool_without_our_guard(kind: str) -> None:
    found = [
        f"{name}: {match.group()}"
        for name in FILES
        if (PROJECT / name).is_file() and (match := HARMFUL[kind].search((PROJECT / name).read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("script", "<scr" + "ipt>f(1)</scr" + "ipt>"), ("script", "<img onerr" + "or=f(1)>"), ("code in a name", "__imp" + 'ort__("os")'),
        ("object tag", "!!pyt" + "hon/x"), ("aliases that multiply", "[*a, *a, *" + "a]"), ("entities that multiply", "<!ENT" + "ITY a>"),
        ("path of a system file", "../../etc" + "/x"), ("statement in a name", "x; DR" + "OP TABLE y"),
        ("formula that calls a program", "=HYPER" + "LINK(1)"),
    ],
)  # fmt: skip
def test_what_is_looked_for_would_be_found(kind: str, text: str) -> None:
    assert HARMFUL[kind].search(text)
