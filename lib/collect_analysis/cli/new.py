"""`collect new kind NAME`: the leaf of a report kind of one's own, which runs as it stands."""

import re
from pathlib import Path
from string import Template

import click

from collect_analysis import own
from collect_analysis.cli import output
from collect_analysis.errors import ParameterError, WorkplaceError

LEAF = Path(__file__).parent / "leaf"
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@click.command("new")
@click.argument("what", type=click.Choice(["kind"]))
@click.argument("name")
def new(what: str, name: str) -> int:
    """Write the leaf of report kind NAME into the folder that COLLECT_KINDS names: modules, words, notebook, report file."""
    for path in begin(name):
        output.message(f"wrote {path}")
    output.message(f"next: collect run {_folder() / name / f'{name}.yml'}")
    return 0


def begin(name: str) -> list[Path]:
    """Write the files of a new kind; what is there already is never written over.

    Raises
    ------
    ParameterError
        The name is not one for a kind, or there is such a kind.
    WorkplaceError
        `COLLECT_KINDS` is not set.
    """
    from collect_analysis.report.kinds import KINDS, class_name

    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    if not NAME.fullmatch(name):
        raise ParameterError(f"'{name}' is no name for a kind; write small letters, digits and single underscores, such as bucket_watch")
    if name in KINDS or (folder / name).exists():
        raise ParameterError(f"there is a kind '{name}' already, or {folder / name} exists; choose another name")
    words = {"kind": name, "Kind": class_name(name), "title": name.replace("_", " ").capitalize()}
    (folder / name).mkdir()
    written = []
    for leaf in sorted(LEAF.glob("*.tmpl")):
        target = folder / name / leaf.stem.replace("leaf.", f"{name}.")
        text = Template(leaf.read_text(encoding="utf-8")).substitute(words)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written


def _folder() -> Path:
    if not own.__path__:
        raise WorkplaceError("COLLECT_KINDS is not set; let it name the folder of your own report kinds, outside the library")
    return Path(own.__path__[0])
