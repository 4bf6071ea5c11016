"""The YAML reader: what it reads, and every trap it refuses with the line."""

import codecs
import os
from pathlib import Path

import pytest
import yaml
from collect_analysis.book.yaml_files import MAX_BYTES, MAX_DEPTH, read_yaml, read_yaml_lines
from collect_analysis.errors import ParameterError
from hypothesis import given, strategies as st


def read(folder: Path, content: str | bytes) -> dict:
    path = folder / "x.yml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_yaml(path)


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(ParameterError) as error:
        read(folder, content)
    assert str(folder / "x.yml") in str(error.value)
    return str(error.value)


def test_plain_scalars_are_read_by_the_narrow_rules(tmp_path: Path) -> None:
    text = "a: 12\nb: -0.5\nc: true\nd: 2026-06-30\ne: word\nf:\ng: ~\nh: '0012'\ni: [1, two]\nj: {k: 1.5e3}\nl: 0\n"
    assert read(tmp_path, text) == {
        "a": 12, "b": -0.5, "c": True, "d": "2026-06-30", "e": "word", "f": None, "g": None, "h": "0012", "i": [1, "two"],
        "j": {"k": 1500.0}, "l": 0,
    }  # fmt: skip


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "NO", "y", "2025-2-3", "01/02/2025", "-", "1.2.3", "A12:30"])
def test_b3_words_that_look_like_flags_or_dates_stay_text(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, f"a: '{word}'\nb: {word if word != '-' else repr(word)}\n") == {"a": word, "b": word}


@pytest.mark.parametrize(
    "word", ["0012", "12:30", "08:00:00", "1_000", "0x10", "0o17", "0b1", "1e5", ".5", "5.", "+84912345678", "-007", "True", "FALSE"]
)
def test_b4_ambiguous_scalars_are_refused_with_quote_it(tmp_path: Path, word: str) -> None:
    message = refusal(tmp_path, f"first: 1\nid: {word}\n")
    assert "line 2" in message
    assert f'quote it: "{word}"' in message
    assert read(tmp_path, f'id: "{word}"\n') == {"id": word}


@pytest.mark.parametrize("word", [".nan", ".inf", "-.Inf", "NaN", "inf", "1.0e999", "1" + "0" * 40])
def test_b10_numbers_that_are_none_are_refused(tmp_path: Path, word: str) -> None:
    assert "quote it" in refusal(tmp_path, f"a: {word}\n")


def test_b5_a_key_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    message = refusal(tmp_path, "a: 1\nb: 2\na: 3\n")
    assert "line 3" in message
    assert "'a' stands on line 1 already" in message


def test_all_problems_are_collected(tmp_path: Path) -> None:
    message = refusal(tmp_path, "a: 0012\nb: 1_000\na: 12:30\n")
    assert len(message.splitlines()) == 4


def test_b6_aliases_are_refused_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path, "a: &a [x, x]\nb: *a\n")
    assert "line 1: anchor &a" in message
    assert "line 2: alias *a" in message


def test_b6_a_large_file_and_a_deep_one_are_refused(tmp_path: Path) -> None:
    assert "65,5" in refusal(tmp_path, "a: '" + "x" * MAX_BYTES + "'")
    assert "nested deeper" in refusal(tmp_path, "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


def test_b7_tags_are_refused(tmp_path: Path) -> None:
    assert "line 2: tag" in refusal(tmp_path, "b: 1\na: !shop x\n")
    assert "tag" in refusal(tmp_path, "a: !!int 3\n")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_b17_utf_16_is_refused(tmp_path: Path, codec: str) -> None:
    assert "UTF-8" in refusal(tmp_path, "a: 1\n".encode(codec))


def test_b17_other_bytes_are_refused_with_the_line(tmp_path: Path) -> None:
    assert "line 2: byte 0xFB" in refusal(tmp_path, b"a: 1\nb: n\xfb\n")


def test_b17_bom_and_crlf_are_accepted(tmp_path: Path) -> None:
    assert read(tmp_path, codecs.BOM_UTF8 + "a: 1\r\nb: ngày\r\n".encode()) == {"a": 1, "b": "ngày"}


def test_b17_tabs_two_documents_and_empty_files_are_refused(tmp_path: Path) -> None:
    assert "line 2: holds a tab" in refusal(tmp_path, "a:\n\tb: 1\n")
    assert "line 3: a second document" in refusal(tmp_path, "---\na: 1\n---\nb: 2\n")
    assert "holds no" in refusal(tmp_path, "")
    assert "holds no" in refusal(tmp_path, "- a\n- b\n")
    assert "holds no" in refusal(tmp_path, "just words\n")
    assert "NUL" in refusal(tmp_path, b"a: x\0y\n")


def test_broken_syntax_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 3: not valid YAML" in refusal(tmp_path, "a: 1\nb: [1, 2\n")
    assert "line 1: a key must be" in refusal(tmp_path, "? [a, b]\n: 1\n")


def test_keys_are_text_as_written(tmp_path: Path) -> None:
    assert read(tmp_path, "codes: {-2: a, 01: b, true: c, on: d}\n") == {"codes": {"-2": "a", "01": "b", "true": "c", "on": "d"}}


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="not a regular file"):
        read_yaml(tmp_path)
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(ParameterError, match="not a regular file"):
        read_yaml(tmp_path / "pipe.yml")
    with pytest.raises(ParameterError, match=r"absent\.yml: cannot be read"):
        read_yaml(tmp_path / "absent.yml")


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("a: 1\nb:\n  c: 2\n  d: [1,\n      2]\n")
    assert read_yaml_lines(path)[1] == {(): 1, ("a",): 1, ("b",): 2, ("b", "c"): 3, ("b", "d"): 4, ("b", "d", 0): 4, ("b", "d", 1): 5}


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words.filter(bool), inner, max_size=3),
    max_leaves=12,
)


@given(content=st.dictionaries(words.filter(bool), values, min_size=1, max_size=4))
def test_what_a_yaml_writer_wrote_is_read_back_or_refused_never_changed(tmp_path_factory: pytest.TempPathFactory, content: dict) -> None:
    path = tmp_path_factory.getbasetemp() / "round.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    try:
        found = read_yaml(path)
    except ParameterError:
        return
    assert found == content
