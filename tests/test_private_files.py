"""Books, quarantine and reports are about persons: what the command writes is its owner's alone, however loose the caller's umask."""

import stat
import subprocess
from pathlib import Path

import pytest

from tests.book.payments_source import Payments
from tests.small_project import SmallProject

ROWS = "id,account,amount,day\n" + "".join(f"{number},a,{'x' if number == 7 else 100},01/06/2026\n" for number in range(400))


def open_to_others(folder: Path) -> list[str]:
    return [path.name for path in (folder, *folder.rglob("*")) if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]


def under_loose_umask(project: SmallProject, *arguments: str) -> None:
    line = ["sh", "-c", 'umask 000; exec "$@"', "sh", *project.command(*arguments)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=project.root, env=project.environment(), check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path)
    made.write_report()
    return made


def test_a_run_leaves_nothing_that_others_may_read(project: SmallProject) -> None:
    project.reports.mkdir(mode=0o777)
    under_loose_umask(project, "run", "parameters")
    assert project.current().exists()
    assert open_to_others(project.reports) == []
    assert stat.S_IMODE(project.reports.stat().st_mode) == 0o700


def test_a_book_and_its_quarantine_are_their_owners_alone(project: SmallProject) -> None:
    source = Payments(project.root)
    source.deliver(ROWS)
    under_loose_umask(project, "import", str(source.mapping(loss=0.1)))
    assert list((project.books / "shop" / "quarantine").iterdir())
    under_loose_umask(project, "sample", "--accounts", "2000", "--months", "18")
    assert open_to_others(project.books / "shop") == []
    assert open_to_others(project.books / "sample") == []
