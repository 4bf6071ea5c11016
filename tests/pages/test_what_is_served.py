"""What is served is what was sealed, to the audience it was made for, over a connection nobody else reads."""

import json
import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from collect_analysis.errors import ParameterError
from collect_analysis.runs.pages import serve
from collect_analysis.runs.pages.address import Address

from tests.pages.conftest import NEW_RUN, REPORT, SLOT, TOKEN, Server, start

RUN = f"agency_evaluation/dca-quarter/{SLOT}/{NEW_RUN}"
HISTORY = "/voila/render/pages/history.ipynb?kind=agency_evaluation&name=dca-quarter"
FOR_LEADS = f"/report/agency_evaluation/officers/{SLOT}/"


@pytest.fixture
def kept(server: Server) -> Iterator[Path]:
    """The current run's folder; what a test changes in it is put back."""
    folder = server.reports / RUN
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield folder
    for path, content in before.items():
        path.unlink(missing_ok=True)
        path.write_bytes(content)


def test_c5_a_page_changed_after_it_was_sealed_is_not_shown(server: Server, kept: Path) -> None:
    assert server.get(REPORT).status == 200
    page = kept / "page.html"
    page.write_bytes(page.read_bytes().replace(b"Move 6 points", b"Move 9 points"))
    answer = server.get(REPORT)
    assert (answer.status, "Move 9 points" in answer.text) == (500, False)
    assert "its files are not what was published" in answer.text


def test_c5_a_page_replaced_by_a_link_to_another_file_is_not_shown(server: Server, kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.html"
    other.write_text("<p>another file")
    same = tmp_path / "same.html"
    same.write_bytes((kept / "page.html").read_bytes())
    for target in (other, same):
        (kept / "page.html").unlink()
        (kept / "page.html").symlink_to(target)
        answer = server.get(REPORT)
        assert (answer.status, "another file" in answer.text) == (500, False)


@pytest.mark.parametrize("how", ["changed", "link", "folder-link", "gone"])
def test_c5_a_table_that_is_not_what_was_sealed_is_not_sent(server: Server, kept: Path, tmp_path: Path, how: str) -> None:
    table = kept / "tables" / "league.csv"
    (tmp_path / "league.csv").write_bytes(table.read_bytes())
    if how == "changed":
        table.write_bytes(table.read_bytes() + b"one,more,row\n")
    elif how == "link":
        table.unlink()
        table.symlink_to(tmp_path / "league.csv")
    elif how == "gone":
        table.unlink()
    else:
        (kept / "tables").rename(kept / ".tables")
        (kept / "tables").symlink_to(tmp_path)
    answer = server.get(f"{REPORT}tables/league.csv")
    if how == "folder-link":
        (kept / "tables").unlink()
        (kept / ".tables").rename(kept / "tables")
    assert (answer.status, "league" in answer.headers.get("Content-Disposition", "")) == (500, False)
    assert server.get(REPORT).status == 200


def test_e1_a_damaged_run_is_named_in_the_list_and_its_address_says_so(server: Server, kept: Path) -> None:
    (kept / "results.json").write_text("[]")
    text = server.get("/?lang=en").text
    assert "Not shown: results.json is not what was published." in text
    assert ">dca-quarter-vi" in text
    assert "Không hiển thị: results.json" in server.get("/?lang=vi").text
    answer = server.get(REPORT)
    assert (answer.status, "not what was published" in answer.text) == (500, True)
    assert server.get(f"/report/agency_evaluation/dca-quarter-vi/{SLOT}/").status == 200
    assert server.get(f"{HISTORY}&lang=en").status == 200


def test_c5_a_page_that_was_put_back_is_shown_again(server: Server, kept: Path) -> None:
    page = kept / "page.html"
    before = page.read_bytes()
    page.write_bytes(before + b" ")
    assert server.get(REPORT).status == 500
    page.write_bytes(before)
    assert server.get(REPORT).status == 200


@pytest.fixture(scope="module")
def leads(server: Server, notebooks: Path) -> Iterator[Server]:
    started = start(server.reports, notebooks, token=TOKEN[::-1], audience="team_leads")
    yield started
    started.process.terminate()
    started.process.wait(30)
    assert started.process.stdout is not None
    started.process.stdout.close()


def test_c4_officers_pages_are_not_there_for_managers(server: Server) -> None:
    assert "officers" not in server.get("/").text
    for path in (FOR_LEADS, f"{FOR_LEADS}tables/league.csv", f"/run/agency_evaluation/officers/{SLOT}/{NEW_RUN}/"):
        assert server.get(path).status == 404
    text = server.get("/voila/render/pages/history.ipynb?kind=agency_evaluation&name=officers&lang=en").text
    assert "1.14" not in text


def test_c4_team_leads_have_a_server_of_their_own_that_shows_nothing_else(leads: Server, server: Server) -> None:
    text = leads.get("/?lang=en").text
    assert "For team leads: names single officers." in text
    assert ">officers" in text
    assert "dca-quarter" not in text
    assert leads.get(FOR_LEADS).status == 200
    assert leads.get(REPORT).status == 404
    assert "1.14" in leads.get("/voila/render/pages/history.ipynb?kind=agency_evaluation&name=officers&lang=en").text


def test_c4_neither_token_nor_cookie_of_one_audience_opens_the_other_door(leads: Server, server: Server) -> None:
    for one, other, token in ((server, leads, TOKEN[::-1]), (leads, server, TOKEN)):
        name, value = one.cookie.partition("=")[0], other.cookie.partition("=")[2]
        assert one.get("/", cookie=False, headers={"Cookie": f"{name}={value}"}).status == 401
        assert one.get(f"/?token={token}", cookie=False).status == 403


def test_c4_the_same_token_gives_another_cookie_for_another_audience() -> None:
    from collect_analysis.runs.pages.door import Key

    assert not Key(TOKEN, "managers").stands_for(Key(TOKEN, "team_leads").cookie)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1"])  # noqa: S104
def test_s23_another_address_than_this_computers_needs_a_certificate_or_a_proxy(tmp_path: Path, host: str) -> None:
    with pytest.raises(ParameterError, match="--behind-proxy"):
        serve(tmp_path, host=host, token=TOKEN)
    Address(host=host, behind_proxy=True).require_safe()
    Address(host=host, certfile=tmp_path / "cert.pem").require_safe()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_s23_this_computers_own_address_needs_neither(host: str) -> None:
    assert Address(host=host).require_safe() is None  # type: ignore[func-returns-value]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def test_c4_a_certificate_encrypts_the_connection(server: Server, notebooks: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    other = start(server.reports, notebooks, certfile=cert, keyfile=key)
    try:
        assert other.address.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(cert))
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{other.address}/", context=context)  # noqa: S310
        assert refused.value.code == 401
        refused.value.close()
        assert other.set_cookie.endswith("; Secure") or "; Secure;" in other.set_cookie
    finally:
        other.process.terminate()
        other.process.wait(30)
        assert other.process.stdout is not None
        other.process.stdout.close()


def test_c4_a_certificate_that_cannot_be_used_is_refused(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)], check=True, capture_output=True
    )
    for given in ({"certfile": wrong}, {"certfile": cert, "keyfile": locked}, {"certfile": cert, "keyfile": wrong}, {"certfile": cert}):
        with pytest.raises(ParameterError, match="cannot be used as certificate and key"):
            Address(**given).encryption()
    with pytest.raises(ParameterError, match="--keyfile goes with --certfile"):
        Address(keyfile=key).require_safe()


def test_c4_behind_a_proxy_the_cookie_travels_encrypted_only(server: Server, notebooks: Path) -> None:
    other = start(server.reports, notebooks, behind_proxy=True)
    try:
        told = {"X-Forwarded-Proto": "https", "Host": "reports.example.org"}
        assert "; Secure" in other.get(f"/?token={TOKEN}", cookie=False, headers=told).headers["Set-Cookie"]
        assert "; Secure" not in server.get(f"/?token={TOKEN}", cookie=False, headers=told).headers["Set-Cookie"]
    finally:
        other.process.terminate()
        other.process.wait(30)
        assert other.process.stdout is not None
        other.process.stdout.close()


def test_a_run_without_a_word_on_its_audience_is_shown_to_nobody(server: Server, kept: Path) -> None:
    run = json.loads((kept / "run.json").read_text())
    del run["parameters"]["audience"]
    (kept / "run.json").write_text(json.dumps(run))
    assert server.get(REPORT).status == 404
    assert ">dca-quarter ·" not in server.get("/").text
