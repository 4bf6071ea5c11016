"""English words on a Vietnamese page: those of our English texts that no Vietnamese text has, names and codes left out."""

import re
from html.parser import HTMLParser

from collect_analysis.book.tables import TABLES
from collect_analysis.measures.kpis import KPIS
from collect_analysis.report import texts

WORD = re.compile(r"[a-z]{4,}")
# Codes, files, ids, hashes, KPI ids, and what a reader types: no words of a sentence.
CODE = re.compile(r"`[^`]*`|\S*[_/@={}]\S*|\b\w+(?:-\w+)+\b:?|\b\w*\d\w*\b|\b\w+\.(?:yml|csv|json)\b")
HIDDEN = frozenset({"style", "svg", "pre", "code"})


class _Reader(HTMLParser):
    """The texts of a page as they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.read = 0, list[str]()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.depth += tag in HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in HIDDEN

    def handle_data(self, data: str) -> None:
        if not self.depth and data.strip():
            self.read.append(" ".join(data.split()))


def _words(lang: str) -> set[str]:
    told = [entry[lang] for _, _, entry in texts.entries()] + [item.names[0 if lang == "en" else 1] for item in KPIS.values()]
    return {word for text in told for word in WORD.findall(CODE.sub(" ", text).lower())}


def english(page: str, *, names: frozenset[str]) -> list[str]:
    """The texts of a page that hold an English word; `names` of the data and of what a report file says are no words."""
    foreign = _words("en") - _words("vi")
    reader = _Reader()
    reader.feed(page)
    return sorted({text for text in reader.read if text not in names and text not in TABLES and foreign & _plain(text, names)})


def _plain(text: str, names: frozenset[str]) -> set[str]:
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " ")
    # Of a Vietnamese syllable without its letters with marks an English word may be left: such are no words.
    return {word.lower() for word in re.findall(r"(?<!\w)[A-Za-z]{4,}(?!\w)", CODE.sub(" ", text)) if WORD.fullmatch(word.lower())}
