"""A running application over a few recorded runs, in its own process."""

import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import nbformat.v4 as nb
import pytest

from tests.conftest import PROJECT
from tests.runs.recorded_run import write_run

TOKEN = "-".join(["a", "token", "for", "tests", "only"])
SLOT = "2026-04-01--2026-06-30"
REPORT = f"/report/agency_evaluation/dca-quarter/{SLOT}/"
OLD_RUN, NEW_RUN = "20260630T080000Z-00000001", "20260701T080000Z-0a1b2c3d"
START = """
import json, sys
from datetime import UTC, datetime
from pathlib import Path
from collect_analysis.runs.pages import serve
serve(
    Path(sys.argv[1]), port=0, token=sys.argv[2], notebooks=Path(sys.argv[3]), **json.loads(sys.argv[4]),
    ready=lambda link: print(link, flush=True), clock=lambda: datetime(2026, 7, 3, tzinfo=UTC),
)
"""
SECRETS = {
    "DB_PASSWORD": "hunter2-the-password",
    "COLLECT_PAGES_TOKEN": TOKEN,
    "COLLECT_PSEUDONYM_KEY": "0123456789",
    "PGPASSWORD": "hunter3",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


# Certificates of these tests are nobody's; one test looks at them as a browser does.
_UNKNOWN_ISSUER = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())  # noqa: S323


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@dataclass
class Server:
    """The application from outside: its address, its process, requests with or without the cookie."""

    address: str
    process: subprocess.Popen[str]
    reports: Path
    cookie: str = ""
    set_cookie: str = ""
    _opener: urllib.request.OpenerDirector = field(default_factory=lambda: urllib.request.build_opener(_Stay, _UNKNOWN_ISSUER))

    def get(
        self, path: str, *, cookie: bool = True, headers: dict[str, str] | None = None, data: bytes | None = None, method: str | None = None
    ) -> Answer:
        request = urllib.request.Request(self.address + path, data=data, headers=headers or {}, method=method)  # noqa: S310
        if cookie and self.cookie:
            request.add_header("Cookie", self.cookie)
        try:
            with self._opener.open(request, timeout=90) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def children(self) -> list[int]:
        """The processes the server has started: kernels, if any."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(child) for task in tasks for child in task.read_text().split()]

    def resident_megabytes(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")


def page(folder: Path, name: str, *sources: str) -> None:
    cells = [nb.new_markdown_cell(f"# {name}"), *(nb.new_code_cell(source) for source in sources)]
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    nbformat.write(nb.new_notebook(cells=cells, metadata=kernel), folder / f"{name}.ipynb")


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one slot, a Vietnamese twin, a blocked report on real data, one for team leads, an empty folder, a failed run."""
    folder = tmp_path_factory.mktemp("pages") / "reports"
    kind = folder / "agency_evaluation"
    write_run(kind / "dca-quarter" / SLOT, run_id=OLD_RUN, value=1.05, finished="2026-06-30T08:00:00+00:00")
    write_run(kind / "dca-quarter" / SLOT, run_id=NEW_RUN)
    write_run(kind / "dca-quarter-vi" / SLOT, name="dca-quarter-vi", lang="vi")
    write_run(kind / "blocked" / SLOT, name="blocked", blocked=True, synthetic=False)
    write_run(kind / "officers" / SLOT, name="officers", audience="team_leads")
    (folder.parent / "neighbour.txt").write_text("beside the reports")
    (kind / "empty" / SLOT).mkdir(parents=True)
    write_run(folder / ".failed" / "agency_evaluation" / "dca-quarter" / SLOT, run_id="20260702T080000Z-ffffffff")
    return folder


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The live page of the project, one that shows its environment, one that fails."""
    folder = tmp_path_factory.mktemp("notebooks")
    live = folder / "pages"
    live.mkdir()
    for name in ("history", "dictionary"):
        (live / f"{name}.ipynb").write_bytes((PROJECT / "notebooks" / "pages" / f"{name}.ipynb").read_bytes())
    seen = "tables.show(pd.DataFrame({'name': list(os.environ), 'text': list(os.environ.values())}), lang='en')"
    page(live, "environment", f"import os\nimport pandas as pd\nfrom collect_analysis.report import tables\n{seen}")
    page(live, "broken", "1", "raise ValueError('secret detail of /srv/books')", "2")
    told = "import pandas as pd\nfrom collect_analysis.report import tables\n"
    shown = f"{told}tables.show(pd.DataFrame({{'name': ['<mark>three</mark>']}}), lang='en')"
    page(live, "markup", "from IPython.display import HTML; HTML('<mark>one</mark>')", "print('<mark>two</mark>')", shown)
    page(folder, "outside", "print('must never run')")
    return folder


def start(reports: Path, notebooks: Path, token: str = TOKEN, **options: object) -> Server:
    """An application of its own; `options` go to `serve`."""
    environment = {**os.environ, **SECRETS}
    command = [sys.executable, "-c", START, str(reports), token, str(notebooks), json.dumps(options, default=str)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=notebooks)
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    assert link, "the application did not start"
    server = Server(link.partition("/?")[0], process, reports)
    server.set_cookie = server.get(f"/?token={token}").headers["Set-Cookie"]
    server.cookie = server.set_cookie.partition(";")[0]
    return server


@pytest.fixture(scope="session")
def server(reports: Path, notebooks: Path) -> Iterator[Server]:
    started = start(reports, notebooks)
    yield started
    started.process.terminate()
    assert started.process.wait(30) == 0
    assert started.process.stdout is not None
    started.process.stdout.close()
