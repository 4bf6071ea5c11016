"""What pages say, in English and Vietnamese, from one catalogue: `common.yml` and one `<kind>.yml` per report kind.

A file has up to five sections, each entry with `en` and `vi`:

- `words`: sentences and words of pages; `{name}` is filled by `say`;
- `labels`: what a column of a table is called;
- `values`: per column, what its codes are called;
- `phrases`: English sentences that methods write into notes and checks, with `{name}` where a value stands, and their translation;
- `cells`: the text of a notebook's markdown cells; `<key>_<design>` wins over `<key>` on pages of a run with that `design`.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from collect_analysis.errors import RunError

Lang = Literal["en", "vi"]
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
FOLDER = Path(__file__).parent
# A label that is not told: `reporting/row_labels.py`.
_WITHHELD = re.compile(r"(?:withheld|masked)-(\d+)")
SECTIONS = ("words", "labels", "values", "phrases", "cells")


def say(key: str, lang: str, **values: object) -> str:
    """The word or sentence `key` in `lang`, its `{name}` places filled from `values`.

    Raises
    ------
    RunError
        The catalogue has no such key, or a place is left unfilled.
    """
    entry = _words().get(key)
    if entry is None:
        raise RunError(f"texts: there is no word '{key}'; add it under `words` in reporting/texts/<kind>.yml, in English and Vietnamese")
    try:
        return entry[lang].format(**values)
    except (KeyError, IndexError) as error:
        raise RunError(f"texts: word '{key}' ({lang}) needs a value for {error}; pass it to say()") from None


def label(column: str, lang: str) -> str:
    """What column `column` is called in `lang`; a column without an entry keeps its name, with spaces."""
    entry = _section("labels").get(column)
    if entry:
        return entry[lang]
    words = column.removesuffix("_minor").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def value(column: str, code: str, lang: str) -> str:
    """What code `code` of column `column` is called in `lang`; a code without an entry is shown as it is."""
    entry = _section("values").get(column, {}).get(code)
    if entry:
        return entry[lang]
    withheld = _WITHHELD.fullmatch(code)
    return say("label_withheld", lang, number=withheld[1]) if withheld else code


def codes() -> frozenset[str]:
    """Every code that has a word in some column."""
    return frozenset(str(code) for known in _section("values").values() for code in known)


def phrase(text: str, lang: str) -> str:
    """An English sentence of a note or check in `lang`; one that the catalogue does not hold is shown as it is."""
    if lang == "en" or not text:
        return text
    for pattern, translated in _phrases(lang):
        match = pattern.fullmatch(text)
        if match:
            return translated.format(**match.groupdict())
    return text


def cell(kind: str, key: str, lang: str) -> str:
    """The markdown of cell `key` of notebook `kind` in `lang`.

    Raises
    ------
    RunError
        The catalogue has no such cell.
    """
    entry = _files().get(kind, {}).get("cells", {}).get(key)
    if entry is None:
        raise RunError(f"texts: reporting/texts/{kind}.yml has no entry '{key}' under `cells`; add it in English and Vietnamese")
    return entry[lang]


def cell_key(kind: str, key: str, design: str) -> str:
    """The key under which cell `key` is written for a run whose parameters name a `design`: `<key>_<design>` where there is one, else `key`."""
    own = f"{key}_{design}"
    return own if design and own in _files().get(kind, {}).get("cells", {}) else key


def entries() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every entry of the catalogue: its file, its place (`words.grade_a`) and its texts by language."""
    for stem, content in _files().items():
        for section in SECTIONS:
            for key, item in content.get(section, {}).items():
                if section == "values":
                    yield from ((stem, f"values.{key}.{code}", texts) for code, texts in item.items())
                else:
                    yield stem, f"{section}.{key}", item


@cache
def _files() -> dict[str, dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read = {path.stem: yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {} for path in sorted(FOLDER.glob("*.yml"))}  # noqa: S506
    # Shared words first, so that the file of a kind has the last word.
    return {"common": read.pop("common"), **read}


@cache
def _section(name: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for content in _files().values():
        for key, item in content.get(name, {}).items():
            merged[str(key)] = {**merged.get(str(key), {}), **item}
    return merged


def _words() -> dict[str, Any]:
    return _section("words")


@cache
def _phrases(lang: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_as_pattern(entry["en"]), entry[lang]) for entry in _section("phrases").values())


def _as_pattern(template: str) -> re.Pattern[str]:
    """A template such as `fewer than {n} cases` as the pattern of the sentences it makes."""
    parts = re.split(r"\{(\w+)\}", template)
    seen: set[str] = set()
    pattern = ""
    for position, part in enumerate(parts):
        if position % 2 == 0:
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            seen.add(part)
            pattern += f"(?P<{part}>.+?)"
    return re.compile(pattern, re.DOTALL)
