"""The header of a delivery: names given once, as declared, and every declared one there."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from collect_analysis.errors import nearest

MOST_COLUMNS = 2_000
# A title is short; what stands further down is no header.
MOST_LINES_AHEAD = 50


def composed(names: Iterable[str]) -> list[str]:
    """Names with composed letters (NFC), as mapping files are read; some systems write them decomposed."""
    return [unicodedata.normalize("NFC", name) for name in names]


def header_problems(where: str, header: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """What is wrong with a header of composed names: each sentence starts with `where` and names what was found.

    A wanted column that is absent, with the nearest name that is there; names twice; names that are empty, have blanks at their ends or signs
    that cannot be seen.
    """
    problems = []
    if any("\0" in name for name in header):
        return [f"{where}: the header holds NUL bytes; the file looks like UTF-16, save it as UTF-8"]
    if len(header) > MOST_COLUMNS:
        return [f"{where}: {len(header):,} columns, more than {MOST_COLUMNS:,}; deliver fewer, or check the delimiter"]
    problems += [
        f"{where}: column name {name!r} (column {place}) is empty or has blanks at its ends; mend the header"
        for place, name in enumerate(header, 1)
        if name != name.strip() or not name
    ]
    problems += [
        f"{where}: column name {name!a} (column {place}) holds signs that cannot be seen; mend the header"
        for place, name in enumerate(header, 1)
        if not name.replace("\n", "").replace("\t", "").isprintable()
    ]
    problems += [
        f"{where}: column '{name}' stands {count} times; name each column once" for name, count in Counter(header).items() if count > 1
    ]
    clean = [name.strip() for name in header]
    problems += [
        f"{where}: there is no column '{name}', which the mapping file names; {nearest(name, clean)}"
        for name in wanted
        if name not in header and name not in clean
    ]
    return problems


def header_hint(where: str, unit: str, ahead: Iterable[tuple[int, Sequence[str]]], wanted: Sequence[str]) -> list[str]:
    """Where the header seems to stand if not where the mapping says: the first line `ahead` that holds every wanted column."""
    for number, names in ahead:
        if wanted and set(wanted) <= {name.strip() for name in names}:
            return [
                f"{where}, {unit} {number}: holds every column that the mapping file names, the declared row does not; declare `header_row: {number}`"
            ]
        if number > MOST_LINES_AHEAD:
            break
    return []
