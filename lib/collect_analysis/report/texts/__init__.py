"""What pages say, in English and Vietnamese, from one catalogue: `common.yml`, and the `texts.yml` of every subject and report kind.

A file has up to seven sections, each entry with `en` and `vi`:

- `words`: sentences and words of pages; `{name}` is filled by `say`. Levels, limits and horizons are places, never typed: those of
  `LEVELS` and `LIMITS` (`{level}` of an interval, `{band}` of a forecast) are filled from `methods.levels` unless given;
- `labels`: what a column of a table is called;
- `values`: per column, what its codes are called;
- `phrases`: English sentences that methods write into notes and checks, with `{name}` where a value stands, and their translation;
- `glossary` (in common.yml): terms of the trade, each with its word and what is never said;
- `names` (a list, without languages): columns that hold names of the data, which nobody translates;
- `cells`: the text of a notebook's markdown cells; `<key>_<design>` wins over `<key>` on pages of a run with that `design`.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from collect_analysis import own as own_kinds
from collect_analysis.errors import RunError
from collect_analysis.methods.rates import levels

Lang = Literal["en", "vi"]
LANGUAGES: tuple[Lang, ...] = get_args(Lang)
COMMON = Path(__file__).parent / "common.yml"
LIBRARY = COMMON.parents[2]
# A label that is not told: `report/row_labels.py`.
_WITHHELD = re.compile(r"(?:withheld|masked)-(\d+)")
SECTIONS = ("words", "labels", "values", "phrases", "cells")
# What texts name of the numbers that the library computes with where nobody says otherwise.
LEVELS = {
    "level": levels.CONFIDENCE, "band": levels.BAND, "alpha": levels.ERROR, "power": levels.POWER, "better": levels.BETTER, "ranks": levels.RANKS,
    "top": levels.TOP_SHARE, "cut": 1 - levels.WINSORISED_AT,
}  # fmt: skip
LIMITS = {
    "departure": levels.DEPARTURE, "largest": levels.LARGEST, "whole_months": levels.WHOLE_MONTHS, "days_before": levels.PAID_BEFORE_DAYS,
    "near": 100 * levels.NEAR,
}  # fmt: skip
# Columns and places that name an arm.
ARMS = frozenset(
    {
        "action",
        "arm",
        "arms",
        "base",
        "champion",
        "challenger",
        "challengers",
        "control",
        "treated",
        "control_arm",
        "treated_arm",
        "done",
        "then",
    }
)
STRICT = False
# How the rule that gives everyone one action is called: `everyone:<action>`.
EVERYONE = "everyone:"
# What a code looks like, and two English words.
_CODE, _ENGLISH = re.compile(r"(?=.*[a-z]{3})[a-z][a-z0-9]*(_[a-z0-9]+)*"), re.compile(r"[a-z]{2,} [a-z]{2,}")
_missed: set[str] = set()


def say(key: str, lang: str, **values: object) -> str:
    """The word or sentence `key` in `lang`, its `{name}` places filled from `values`.

    Raises
    ------
    RunError
        The catalogue has no such key, or a place is left unfilled.
    """
    entry = _words().get(key)
    if entry is None:
        raise RunError(f"texts: there is no word '{key}'; add it under `words` in the kind's texts.yml, in English and Vietnamese")
    try:
        return _filled(entry[lang], lang, values)
    except (KeyError, IndexError) as error:
        raise RunError(f"texts: word '{key}' ({lang}) needs a value for {error}; pass it to say()") from None


def label(column: str, lang: str) -> str:
    """What column `column` is called in `lang`; a name of the data stays, a code that the catalogue does not hold is `untranslated`."""
    entry = _section("labels").get(column)
    if entry:
        return _filled(entry[lang], lang, {})
    if _CODE.fullmatch(column):
        _miss(f"labels.{column}")
    return heading(column)


def heading(name: str) -> str:
    """A name of the data written as a heading: `wage_garnishment` as Wage garnishment."""
    words = name.removesuffix("_minor").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def value(column: str, code: str, lang: str) -> str:
    """What code `code` of column `column` is called in `lang`.

    What is no code (a name, a sentence) is shown as it is, and so is every entry of a column that has no codes of ours, or that is listed
    under `names` for holding names of the data beside them; another code that the catalogue does not hold is `untranslated`.
    """
    entry = own(column, code, lang)
    if entry is None and _CODE.fullmatch(code) and column in _section("values") and column not in _names():
        _miss(f"values.{column}.{code}")
    return code if entry is None else entry


def own(column: str, code: str, lang: str) -> str | None:
    """As `value`, None where the catalogue has no entry: for what may be called otherwise, too."""
    known = _section("values")
    entry = known.get(column, {}).get(code) or (known["arm"].get(code) if column in ARMS else None)
    return _filled(entry[lang], lang, {}) if entry else None


def arm_names(arms: str, lang: str) -> str:
    """What arms, told with commas, are called: champion and challenger by their word, others by the name the data give them."""
    return ", ".join(own("arm", arm, lang) or arm for arm in arms.split(", "))


def rule_name(rule: str, lang: str) -> str:
    """What a rule is called: by its own name, or as the one that gives everyone an action."""
    return say("rule_everyone", lang, action=rule.removeprefix(EVERYONE)) if rule.startswith(EVERYONE) else rule


def codes() -> frozenset[str]:
    """Every code that has a word in some column."""
    return frozenset(str(code) for known in _section("values").values() for code in known)


def phrase(text: str, lang: str) -> str:
    """An English sentence of a note or check in `lang`; one that the catalogue does not hold is `untranslated`."""
    if lang == "en" or not text:
        return text
    for pattern, translated in _phrases(lang):
        match = pattern.fullmatch(text)
        if match:
            return translated.format(**match.groupdict())
    # Notes that were worded before come again: a sentence in Vietnamese has letters that English has not.
    if text.isascii() and _ENGLISH.search(text):
        _miss(f"phrases: {text}")
    return text


def percent(level: float, lang: str) -> str:
    """A level as texts name it: 95 %, 99,8 %."""
    return f"{100 * level:.4g} %".replace(".", "," if lang == "vi" else ".")


def _filled(text: str, lang: str, values: dict[str, object]) -> str:
    """A text with its places filled; those of `LEVELS` and `LIMITS` that nobody fills hold what the library computes with."""
    if "{" not in text:
        return text
    known = {name: percent(level, lang) for name, level in LEVELS.items()}
    known |= {name: f"{limit:g}".replace(".", "," if lang == "vi" else ".") for name, limit in LIMITS.items()}
    # An arm is called alike in headlines and below.
    arms = {name: arm_names(given, lang) for name in ARMS if isinstance(given := values.get(name), str)}
    return text.format(**(known | values | arms))


def glossary() -> dict[str, dict[str, Any]]:
    """The terms of the trade: `en` (a pattern), `vi` and what is `never` said."""
    known: dict[str, dict[str, Any]] = _files()["common"]["glossary"]
    return known


def untranslated(*, forget: bool = False) -> list[str]:
    """What was asked for and is missing in the catalogue; `forget`: from now on.

    A page does not fall for a word: it shows the code, and says so in a failed check. With `STRICT`, as in tests, a missing word raises.
    """
    found = sorted(_missed)
    if forget:
        _missed.clear()
    return found


def _miss(place: str) -> None:
    if STRICT:
        raise RunError(f"texts: the catalogue has no {place}; add it in the kind's texts.yml, in English and Vietnamese")
    _missed.add(place)


def cell(kind: str, key: str, lang: str) -> str:
    """The markdown of cell `key` of notebook `kind` in `lang`.

    Raises
    ------
    RunError
        The catalogue has no such cell.
    """
    entry = _files().get(kind, {}).get("cells", {}).get(key)
    if entry is None:
        raise RunError(f"texts: the texts.yml of {kind} has no entry '{key}' under `cells`; add it in English and Vietnamese")
    return _filled(entry[lang], lang, {})


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
    # Shared words first, so that a subject has the last word over all, and a kind over its subject.
    files = {"common": COMMON}
    for pattern in ("texts/*.yml", "texts*.yml", "*/texts*.yml"):
        files |= {_name(path): path for path in sorted(LIBRARY.glob(f"*/{pattern}"))}
    files |= {_name(path): path for folder in own_kinds.__path__ for path in sorted(Path(folder).glob("*/texts*.yml"))}
    return {name: yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {} for name, path in files.items()}  # noqa: S506


def _name(path: Path) -> str:
    """What a file of texts is known by: the folder of a `texts.yml`, else its own name."""
    return path.parent.name if path.stem == "texts" else path.stem


@cache
def _section(name: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for content in _files().values():
        for key, item in content.get(name, {}).items():
            merged[str(key)] = {**merged.get(str(key), {}), **item}
    return merged


@cache
def _names() -> frozenset[str]:
    return frozenset(name for content in _files().values() for name in content.get("names", []))


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
