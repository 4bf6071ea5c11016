"""An executed notebook as a reader sees it: texts in their language, tables, figures. No code, and no HTML but our own.

What a cell printed or displayed is data. Only two displays reach a reader: a shown table (its own MIME type, data, from which the HTML is
built here) and a recorded figure (its name, under which the recorded SVG is found). Prints, last values, every other HTML or image are left
out: what is not recorded was not reported.
"""

import base64
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from collect_analysis.report import notebook_files, tables, texts
from collect_analysis.report.notebook_files import FIGURE_MIME, SVG_MIME

TEXT_TAG = "text:"
# The last cell prints the decision as text; the page shows it as a box.
SUMMARY_TAG = "keep_output"
_HEADING = re.compile(r"\A\s*(#{1,6})\s+(.+?)\s*(?:\n|\Z)")


@dataclass
class Section:
    """One heading of the notebook and all that follows it up to the next: its anchor, its blocks of finished HTML.

    `absent` is the reason where the data could not fill its table, `shown` whether anything else came out of its cells.
    """

    title: str
    anchor: str
    blocks: list[Markup] = field(default_factory=list)
    absent: str = ""
    shown: bool = False


@dataclass(frozen=True)
class View:
    """What the page shows of a notebook: its title, the words under it, its sections."""

    title: str
    lead: tuple[Markup, ...]
    sections: tuple[Section, ...]


def view(notebook: Mapping[str, Any], *, kind: str, lang: str, figures: Mapping[str, Path] | None, design: str = "") -> View:
    """What does a manager read in this executed notebook?

    Cells tagged `text:<key>` are shown in `lang` from the catalogue of `kind`; entry `<key>_<design>` wins where the run's parameters have a
    `design` and the catalogue that entry. `figures` maps the recorded figures to their SVG files; None
    means a live page, which records nothing and carries its drawings itself.
    The first heading of level one is the title; every heading of level two opens a section.
    """
    sections = [Section("", "")]
    title = ""
    for cell in notebook.get("cells", []):
        if cell.get("cell_type") == "markdown":
            level, heading, body = _parted(_text(cell, kind, lang, design))
            if level == 1 and not title:
                title = heading
            elif heading and level <= 2:
                sections.append(Section(heading, _anchor(heading, [section.anchor for section in sections])))
            elif heading:
                body = f"{'#' * level} {heading}\n{body}"
            if body.strip():
                sections[-1].blocks.append(markdown(body))
        elif cell.get("cell_type") == "code":
            found = outputs(cell, figures=figures, lang=lang, about=sections[-1].title or title)
            sections[-1].blocks += found
            sections[-1].absent = sections[-1].absent or _absent(cell)
            sections[-1].shown |= bool(found)
    return View(title, tuple(sections[0].blocks), tuple(_answered(sections[1:], lang)))


def _absent(cell: Mapping[str, Any]) -> str:
    reasons = [
        output["data"][tables.ABSENT_MIME]["reason"] for output in cell.get("outputs", []) if tables.ABSENT_MIME in output.get("data", {})
    ]
    return reasons[0] if reasons else ""


def _answered(sections: list[Section], lang: str) -> list[Section]:
    """The sections that have something to show; how to read a table that is not there is no use to anybody, so the others become one list."""
    missing = [section for section in sections if section.absent and not section.shown]
    kept = [section for section in sections if section not in missing]
    if missing:
        title = texts.say("page_unanswered", lang)
        columns = (
            (texts.say("page_question", lang), [item.title for item in missing]),
            (texts.label("reason", lang), [item.absent for item in missing]),
        )
        data = tables.ShownTable(tuple(tables.Column(name, False, tuple(cells)) for name, cells in columns)).as_data()
        kept.append(Section(title, _anchor(title, [section.anchor for section in kept]), [Markup(tables.html_of(data))]))  # noqa: S704  (escaped)
    return kept


def outputs(cell: Mapping[str, Any], *, figures: Mapping[str, Path] | None, lang: str, about: str) -> list[Markup]:
    """The outputs of one code cell as HTML; `about` says what its figures are about to who cannot see them."""
    if SUMMARY_TAG in notebook_files.tags(dict(cell)):
        return []
    blocks = [_output(output, figures=figures, lang=lang, about=about) for output in cell.get("outputs", [])]
    return [block for block in blocks if block]


def markdown(source: str) -> Markup:
    """Markdown as HTML: headings, emphasis, lists, tables, code. HTML, links and images in it stay the characters they are."""
    return Markup(_MARKDOWN.render(source))  # noqa: S704  (built with html disabled)


def _markdown_parser() -> MarkdownIt:
    parser = (
        MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable(["link", "image", "autolink", "html_inline"])
    )
    parser.add_render_rule("table_open", lambda *_: '<div class="table" tabindex="0"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


_MARKDOWN = _markdown_parser()


def _text(cell: Mapping[str, Any], kind: str, lang: str, design: str) -> str:
    keys = [tag.removeprefix(TEXT_TAG) for tag in notebook_files.tags(dict(cell)) if tag.startswith(TEXT_TAG)]
    return texts.cell(kind, texts.cell_key(kind, keys[0], design), lang) if keys else notebook_files.source(dict(cell))


def _parted(source: str) -> tuple[int, str, str]:
    """Level and text of the heading a cell opens with (0 and empty if it opens with none), and the rest."""
    match = _HEADING.match(source)
    return (len(match[1]), match[2], source[match.end() :]) if match else (0, "", source)


def _anchor(heading: str, taken: list[str]) -> str:
    # đ has no decomposition, so it would fall out with the signs.
    plain = unicodedata.normalize("NFKD", heading.lower().replace("đ", "d")).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "section"
    anchor, number = stem, 1
    while anchor in taken:
        number += 1
        anchor = f"{stem}-{number}"
    return anchor


def _output(output: Mapping[str, Any], *, figures: Mapping[str, Path] | None, lang: str, about: str) -> Markup:
    """A shown table or a recorded figure; whatever else a cell printed or left as its last value is not shown."""
    data = output.get("data", {})
    if tables.MIME in data:
        return Markup(tables.html_of(data[tables.MIME]))  # noqa: S704  (escapes every cell)
    if FIGURE_MIME in data:
        drawing = _joined(data[SVG_MIME]).encode() if figures is None else figures[data[FIGURE_MIME]["name"]].read_bytes()
        return figure(drawing, alt=texts.say("figure_alt", lang, name=about))
    return Markup("")


def figure(drawing: bytes, *, alt: str) -> Markup:
    """An SVG inside an image, where a browser runs nothing that could stand in it."""
    encoded = base64.b64encode(drawing).decode()
    return Markup('<figure><img src="data:image/svg+xml;base64,{}" alt="{}"></figure>').format(encoded, alt)


def _joined(text: str | list[str]) -> str:
    """A notebook file may hold a text as a list of lines."""
    return text if isinstance(text, str) else "".join(text)
