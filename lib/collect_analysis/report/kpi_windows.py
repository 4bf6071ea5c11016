"""The windows of a KPI as they are read: what a window is called, its codes and numbers in the language of the page."""

from collect_analysis.report import texts
from collect_analysis.report.texts import formats


def in_words(windows: str, lang: str) -> str:
    """`grace_days = 3, kept_threshold = 0.9` (as `kpis.dictionary` writes windows) in words; what the catalogue does not know stays."""
    return "; ".join(_one(part, lang) for part in windows.split(", ") if part)


def _one(part: str, lang: str) -> str:
    name, _, content = part.partition(" = ")
    return f"{texts.value('kpi_window', name, lang)}: {' + '.join(_content(item, lang) for item in content.split(' + '))}"


def _content(item: str, lang: str) -> str:
    try:
        number = float(item)
    except ValueError:
        return texts.value("kpi_window_code", item, lang)
    return formats.number(number, lang, digits=0 if number.is_integer() else formats.digits_for([number], 2))
