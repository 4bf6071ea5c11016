"""The header of a delivery: names given once, as declared, and every declared one there."""

from collections import Counter
from collections.abc import Sequence

from collect_analysis.errors import nearest

MOST_COLUMNS = 2_000


def header_problems(where: str, header: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """What is wrong with a header: each sentence starts with `where` and names what was found.

    A wanted column that is absent, with the nearest name that is there; names twice; names that are empty or have blanks at their ends.
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
        f"{where}: column '{name}' stands {count} times; name each column once" for name, count in Counter(header).items() if count > 1
    ]
    clean = [name.strip() for name in header]
    problems += [
        f"{where}: there is no column '{name}', which the mapping file names; {nearest(name, clean)}"
        for name in wanted
        if name not in header and name not in clean
    ]
    return problems
