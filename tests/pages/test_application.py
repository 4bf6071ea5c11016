"""The application from outside: who gets in, what is served, what never is, and that a view costs no kernel."""

import gzip
import hashlib
import json
import re
import statistics
import time
from pathlib import Path

import pytest
from collect_analysis.errors import WorkplaceError
from collect_analysis.runs.page import NAVIGATION
from collect_analysis.runs.pages import serve

from tests.pages.conftest import NEW_RUN, OLD_RUN, REPORT, SECRETS, SLOT, TOKEN, Server, start

HISTORY = "/voila/render/pages/history.ipynb"
ROUTES = ("/", REPORT, f"{REPORT}tables/league.csv", f"/run/agency_evaluation/dca-quarter/{SLOT}/{OLD_RUN}/", HISTORY, "/nothing")
VOILA_ROUTES = (
    "/voila/files/pages/history.ipynb",
    "/voila/files/outside.ipynb",
    "/voila/tree",
    "/voila/tree/pages",
    "/voila/api/contents",
    "/voila/api/contents/pages",
    "/voila/static/voila.js",
    "/voila/templates/lab/static/index.css",
    "/voila/labextensions/x.js",
    "/voila/api/themes/x.css",
    "/voila/api/shutdown/00000000-0000-0000-0000-000000000000",
    "/voila/render/outside.ipynb",
    "/voila/render/pages/nothing.ipynb",
    "/voila/render/pages/../outside.ipynb",
    "/voila/render/pages%2F..%2Foutside.ipynb",
    "/api/kernels/00000000-0000-0000-0000-000000000000",
    "/api/kernels/00000000-0000-0000-0000-000000000000/channels",
    "/api/contents",
    "/login",
    "/static/style.css",
)
OUTSIDE = (
    "/report/../../neighbour.txt",
    "/report/..%2f..%2fneighbour.txt/x/y/",
    "/report/agency_evaluation/%2e%2e/%2e%2e/",
    f"/report/agency_evaluation/../agency_evaluation/{SLOT}/",
    f"/report/.failed/agency_evaluation/dca-quarter/{SLOT}/",
    f"/report/agency_evaluation/.failed/{SLOT}/",
    f"/report/agency_evaluation/dca-quarter/{SLOT}/tables/..%2frun.json",
    f"/report/agency_evaluation/dca-quarter/{SLOT}/tables/../run.json",
    f"/report/agency_evaluation/dca-quarter/{SLOT}/run.json",
    f"/report/agency_evaluation/dca-quarter/{SLOT}/results.json",
    f"/report/agency_evaluation/dca-quarter/{SLOT}/notebook.ipynb",
    f"/report/agency_evaluation/dca-quarter/{SLOT}/figures/league.svg",
    f"/report/agency_evaluation/dca-quarter/{SLOT}/tables/unknown.csv",
    f"/report/agency_evaluation/empty/{SLOT}/",
    f"/report/unknown_kind/dca-quarter/{SLOT}/",
    f"/run/agency_evaluation/dca-quarter/{SLOT}/current/../../",
    f"/run/agency_evaluation/dca-quarter/{SLOT}/20260702T080000Z-ffffffff/",
    "/report/agency_evaluation/dca-quarter/%00/",
    "//neighbour.txt",
    "/report/agency_evaluation/dca-quarter/" + "a" * 300 + "/",
)


@pytest.mark.parametrize("path", [*ROUTES, *VOILA_ROUTES])
def test_s6_without_the_token_there_is_nothing(server: Server, path: str) -> None:
    answer = server.get(path, cookie=False)
    assert answer.status in (401, 404)
    assert "dca-quarter" not in answer.text
    assert server.get(path, cookie=False, headers={"Cookie": f"collect-pages-{server.address.rpartition(':')[2]}=0000"}).status in (
        401,
        404,
    )


def test_the_link_with_the_token_lets_in_and_takes_the_token_out_of_the_address(server: Server) -> None:
    answer = server.get(f"/?token={TOKEN}&lang=vi", cookie=False)
    assert answer.status == 302
    assert answer.headers["Location"] == "/?lang=vi"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    assert server.get("/").status == 200


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "ô" * 20])
def test_a_wrong_token_does_not_let_in(server: Server, token: str) -> None:
    answer = server.get(f"/enter?lang=en&x={len(token)}", cookie=False, data=f"token={token}".encode())
    assert answer.status in (400, 403)
    assert "Set-Cookie" not in answer.headers


def test_the_form_lets_in_from_this_site_only(server: Server) -> None:
    form = f"token={TOKEN}".encode()
    assert server.get("/enter", cookie=False, data=form).status == 303
    assert server.get("/enter", cookie=False, data=form, headers={"Origin": server.address}).status == 303
    assert server.get("/enter", cookie=False, data=form, headers={"Origin": "https://example.org"}).status == 403


@pytest.mark.parametrize("path", ["//example.org/", "/\\example.org/", "///example.org"])
def test_the_way_on_never_leads_to_another_site(server: Server, path: str) -> None:
    location = server.get(f"{path}?token={TOKEN}", cookie=False).headers.get("Location", "/")
    assert not location.startswith(("//", "/\\", "http"))


@pytest.mark.parametrize("path", VOILA_ROUTES)
def test_nothing_else_of_voila_is_open_even_with_the_token(server: Server, path: str) -> None:
    assert server.get(path).status == 404


@pytest.mark.parametrize("path", OUTSIDE)
def test_s5_no_path_leads_out_of_the_published_runs(server: Server, path: str) -> None:
    answer = server.get(path)
    assert answer.status in (400, 404)
    assert "beside the reports" not in answer.text
    assert "schema" not in answer.text


def test_a_link_that_leads_out_of_the_reports_is_not_followed(server: Server, tmp_path: Path) -> None:
    place = server.reports / "agency_evaluation" / "linked" / SLOT
    place.mkdir(parents=True)
    (place / "current").symlink_to(server.reports / "agency_evaluation" / "dca-quarter" / SLOT / NEW_RUN)
    try:
        assert server.get(f"/report/agency_evaluation/linked/{SLOT}/").status == 404
        assert ">linked" not in server.get("/").text
    finally:
        (place / "current").unlink()
        place.rmdir()
        place.parent.rmdir()


@pytest.mark.parametrize("path", [*ROUTES, "/nothing", "/voila/tree"])
def test_s9_every_answer_forbids_scripts_frames_and_sniffing(server: Server, path: str) -> None:
    headers = server.get(path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "no-cache" in headers["Cache-Control"]
    assert "Server" not in headers


def test_the_list_says_what_each_report_decided(server: Server) -> None:
    text = server.get("/?lang=en").text
    for words in (
        "Agency evaluation",
        "Move 6 points of share from An Bình Collection to Luật Minh Tín",
        "Evidence grade B",
        "Synthetic data",
        "Not for decision",
        "Data known as of 2026-06-30",
        "2 days old",
        "Vietnamese",
    ):
        assert words in text
    assert text.count('<h3><a href="/report/') == 3
    assert ">empty" not in text


def test_the_list_speaks_vietnamese_and_puts_vietnamese_reports_first(server: Server) -> None:
    text = server.get("/", headers={"Accept-Language": "vi-VN,vi;q=0.9"}).text
    assert "Dữ liệu tính đến ngày 30/06/2026" in text
    assert text.index("dca-quarter-vi") < text.index(">blocked")


def test_the_stored_page_is_the_file_with_the_way_back_put_in(server: Server) -> None:
    answer = server.get(REPORT)
    stored = (server.reports / "agency_evaluation" / "dca-quarter" / SLOT / NEW_RUN / "page.html").read_text(encoding="utf-8")
    before, after = stored.split(NAVIGATION)
    assert answer.text.startswith(before)
    assert answer.text.endswith(after)
    assert '<a href="/">All reports</a>' in answer.text


def test_an_unchanged_page_is_not_sent_again_and_travels_packed(server: Server) -> None:
    first = server.get(REPORT)
    assert server.get(REPORT, headers={"If-None-Match": first.headers["Etag"]}).status == 304
    packed = server.get(REPORT, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == first.body
    assert server.get(REPORT, method="HEAD").body == b""


def test_an_older_run_says_that_it_is_old_and_leads_to_the_new_one(server: Server) -> None:
    answer = server.get(f"/run/agency_evaluation/dca-quarter/{SLOT}/{OLD_RUN}/")
    assert answer.status == 200
    assert f'<a class="old" href="{REPORT}">' in answer.text
    assert 'class="old"' not in server.get(f"/run/agency_evaluation/dca-quarter/{SLOT}/{NEW_RUN}/").text


def test_a_newly_published_run_is_shown_at_once(server: Server) -> None:
    current = server.reports / "agency_evaluation" / "dca-quarter" / SLOT / "current"
    assert NEW_RUN in server.get(REPORT).text
    following = current.with_name(".next")
    try:
        following.symlink_to(OLD_RUN)
        following.replace(current)
        answer = server.get(REPORT)
        assert OLD_RUN in answer.text
        assert NEW_RUN not in answer.text
    finally:
        following.symlink_to(NEW_RUN)
        following.replace(current)


def test_a_recorded_table_is_downloaded_as_it_was_recorded(server: Server) -> None:
    answer = server.get(f"{REPORT}tables/league.csv")
    run = server.reports / "agency_evaluation" / "dca-quarter" / SLOT / NEW_RUN
    assert hashlib.sha256(answer.body).hexdigest() == json.loads((run / "run.json").read_text())["files"]["tables/league.csv"]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="league.csv"'
    assert answer.headers["Content-Type"].startswith("text/csv")


def test_a_file_that_no_result_names_is_not_served(server: Server) -> None:
    planted = server.reports / "agency_evaluation" / "dca-quarter" / SLOT / NEW_RUN / "tables" / "planted.csv"
    planted.write_text("account_key\n1\n")
    try:
        assert server.get(f"{REPORT}tables/planted.csv").status == 404
    finally:
        planted.unlink()


def test_every_link_of_the_list_leads_somewhere(server: Server) -> None:
    links = set(re.findall(r'href="(/[^"]*)"', server.get("/").text))
    assert len(links) >= 6
    stored = [link for link in links if not link.startswith("/voila")]
    assert [server.get(link.replace("&amp;", "&")).status for link in stored] == [200] * len(stored)


def test_f4_two_hundred_views_start_no_kernel_and_take_milliseconds(server: Server) -> None:
    server.get(REPORT)
    seconds = []
    for _ in range(200):
        begun = time.perf_counter()
        assert server.get(REPORT).status == 200
        seconds.append(time.perf_counter() - begun)
    assert server.children() == []
    median, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    print(f"stored page: median {1000 * median:.1f} ms, p95 {1000 * p95:.1f} ms, {server.resident_megabytes():.0f} MB")
    # The bounds of reliability 3.4, with the machine shared by others.
    assert median <= 0.030
    assert p95 <= 0.150
    assert server.resident_megabytes() <= 250


def test_a_live_page_shows_recorded_numbers_and_its_kernel_ends(server: Server) -> None:
    answer = server.get(f"{HISTORY}?kind=agency_evaluation&name=dca-quarter&lang=en")
    assert answer.status == 200
    assert server.children() == []
    for words in ("How did this number move?", "Luật Minh Tín", "1.14", "1.01 … 1.28", "Synthetic data", "Index (E2)"):
        assert words in answer.text
    assert "<script" not in answer.text
    assert 'src="data:image/svg+xml;base64,' in answer.text


def test_a_live_page_in_vietnamese(server: Server) -> None:
    answer = server.get(f"{HISTORY}?kind=agency_evaluation&name=dca-quarter-vi&lang=vi&measure=index:E2")
    assert "Con số này thay đổi thế nào?" in answer.text
    assert "1,01 … 1,28" in answer.text


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ("What does each figure mean?", "Roll forward", "one payment serves one promise", "measures.waiting.time_to_contact")),
        ("vi", ("Mỗi chỉ tiêu có nghĩa gì?", "Tỷ lệ nhảy nhóm", "một khoản thanh toán chỉ tính cho một lời hứa", "phạm vi x kỳ")),
    ],
)
def test_the_dictionary_page_tells_every_figure_without_a_report(server: Server, lang: str, words: tuple[str, ...]) -> None:
    answer = server.get(f"/voila/render/pages/dictionary.ipynb?lang={lang}")
    assert answer.status == 200
    assert server.children() == []
    for said in words:
        assert said in answer.text
    assert "Choose a report first:" not in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "kind=../neighbour",
        "name=a/b",
        "measure=<b>",
        "lang=xx",
        "unknown=1",
        "kind=a&kind=b",
        "template=nonexistent",
        "x" * 600,
        "&".join(f"a{number}=1" for number in range(99)),
    ],
)
def test_a_query_that_is_no_choice_starts_no_kernel(server: Server, query: str) -> None:
    assert server.get(f"{HISTORY}?{query}").status == 400
    assert server.children() == []


def test_a_live_page_without_a_choice_asks_for_one(server: Server) -> None:
    answer = server.get(HISTORY)
    assert answer.status == 200
    assert "Choose a report first:" in answer.text


def test_s31_an_endless_address_is_refused(server: Server) -> None:
    assert server.get("/?" + "a" * 3000).status == 414
    assert server.get("/" + "a" * 3000).status == 414


def test_s12_a_kernel_sees_nothing_of_the_servers_environment(server: Server) -> None:
    text = server.get("/voila/render/pages/environment.ipynb").text
    assert "COLLECT_REPORTS" in text
    for name, secret in SECRETS.items():
        assert name not in text
        assert secret not in text
    assert server.cookie.partition("=")[2] not in text


def test_s34_an_error_shows_an_id_and_nothing_else(server: Server) -> None:
    answer = server.get("/voila/render/pages/broken.ipynb")
    assert answer.status == 500
    assert re.search(r"Tell the analyst this number: [0-9a-f]{8}<", answer.text)
    for words in ("secret detail", "ValueError", "Traceback", "broken", ".py"):
        assert words not in answer.text
    assert server.children() == []


def test_s10_what_a_live_notebook_displays_never_becomes_html(server: Server) -> None:
    text = server.get("/voila/render/pages/markup.ipynb").text
    assert "<mark" not in text
    assert "&lt;mark&gt;three&lt;/mark&gt;" in text
    assert text.count("mark&gt;") == 2


def test_s23_it_listens_on_this_computer_only(server: Server) -> None:
    port = int(server.address.rpartition(":")[2])
    listening = {
        line.split()[1].partition(":")[0]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].rpartition(":")[2], 16) == port
    }
    assert listening == {"0100007F"}


def test_a_new_token_voids_old_cookies(server: Server, notebooks: Path) -> None:
    other = start(server.reports, notebooks, token=TOKEN[::-1])
    try:
        value = server.cookie.partition("=")[2]
        name = other.cookie.partition("=")[0]
        assert other.get("/").status == 200
        assert other.get("/", cookie=False, headers={"Cookie": f"{name}={value}"}).status == 401
    finally:
        other.process.terminate()
        other.process.wait(30)
        assert other.process.stdout is not None
        other.process.stdout.close()


def test_a_folder_that_is_not_there_and_a_short_token_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkplaceError, match="no reports folder"):
        serve(tmp_path / "nothing", token=None)
    with pytest.raises(WorkplaceError, match="use at least 16"):
        serve(tmp_path, token=TOKEN[:15])


def test_an_operational_list_in_a_run_folder_has_no_address(server: Server) -> None:
    folder = server.reports / "agency_evaluation" / "dca-quarter" / SLOT / NEW_RUN / "lists"
    folder.mkdir(mode=0o700)
    (folder / "assignment.csv").write_text('"account_key"\n"acc-1"\n')
    try:
        for path in (
            "lists/assignment.csv",
            "tables/assignment.csv",
            "tables/..%2flists%2fassignment.csv",
            "lists/",
            "tables/lists/assignment.csv",
        ):
            for start_of in (REPORT, f"/run/agency_evaluation/dca-quarter/{SLOT}/{NEW_RUN}/"):
                answer = server.get(f"{start_of}{path}")
                assert answer.status == 404, path
                assert "acc-1" not in answer.text
    finally:
        (folder / "assignment.csv").unlink()
        folder.rmdir()
