"""The pages in a real browser: what stands on the first screen, that nothing overflows, that nothing fails to load."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

from tests.conftest import skip_or_fail
from tests.pages.conftest import REPORT, SLOT, TOKEN, Server

pytestmark = pytest.mark.browser
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
HISTORY = "/voila/render/pages/history.ipynb?kind=agency_evaluation&name=dca-quarter"
PAGES = ("/", REPORT, f"/report/agency_evaluation/dca-quarter-vi/{SLOT}/", f"/report/agency_evaluation/blocked/{SLOT}/", HISTORY)


class Browser:
    """Chromium with a screen of a given size, on one application."""

    def __init__(self, driver: webdriver.Chrome, server: Server) -> None:
        self.driver, self.server = driver, server

    def open(self, path: str, *, width: int = 1280, height: int = 800) -> "Browser":
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.get(self.server.address + path)
        return self

    def wait_for(self, path: str) -> None:
        """Until there is such an element, or fail."""
        WebDriverWait(self.driver, 10).until(expected_conditions.presence_of_element_located((By.XPATH, path)))

    def bottom(self, selector: str) -> float:
        return self.driver.execute_script("return document.querySelector(arguments[0]).getBoundingClientRect().bottom", selector)

    def visible(self, selector: str) -> bool:
        return (
            bool(self.driver.find_elements(By.CSS_SELECTOR, selector))
            and self.driver.find_element(By.CSS_SELECTOR, selector).is_displayed()
        )


@pytest.fixture(scope="module")
def browser(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        skip_or_fail("browser", "no chromium or no chromedriver on the path")
    options = Options()
    options.binary_location = str(chromium)
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(str(driver)))
    started.get(f"{server.address}/?token={TOKEN}")
    yield Browser(started, server)
    started.quit()


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_a_telephone(browser: Browser, path: str) -> None:
    browser.open(path, width=390, height=844)
    widths = browser.driver.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1] == 390


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_question_answer_and_grade_are_on_the_first_screen(browser: Browser, width: int, height: int) -> None:
    browser.open(REPORT, width=width, height=height)
    for selector in (".asked", ".answer", ".decision .grade", ".ribbon"):
        assert browser.visible(selector)
        assert browser.bottom(selector) <= height
    assert "Data known as of 2026-06-30" in browser.driver.find_element(By.CSS_SELECTOR, ".eyebrow").text


def test_the_synthetic_label_stays_in_sight_at_the_end_of_the_page(browser: Browser) -> None:
    browser.open(REPORT)
    browser.driver.execute_script("window.scrollTo(0, document.documentElement.scrollHeight)")
    assert 0 < browser.bottom(".ribbon") <= 60


def test_not_for_decision_is_on_the_first_screen(browser: Browser) -> None:
    browser.open(f"/report/agency_evaluation/blocked/{SLOT}/", width=390, height=844)
    assert browser.bottom(".blocked h2") <= 844


@pytest.mark.parametrize("path", PAGES)
def test_nothing_fails_to_load_and_no_policy_is_broken(browser: Browser, path: str) -> None:
    browser.driver.get_log("browser")
    browser.open(path)
    assert browser.driver.get_log("browser") == []
    broken = browser.driver.execute_script("return [...document.images].filter(i => !i.complete || !i.naturalWidth).length")
    assert broken == 0


def test_a_wide_table_scrolls_inside_its_own_box(browser: Browser) -> None:
    browser.open(REPORT, width=390, height=844)
    sizes = browser.driver.execute_script(
        "const box = document.querySelector('.finding .table'); return [box.scrollWidth, box.clientWidth]"
    )
    assert sizes[0] > sizes[1]


def test_numbers_stand_under_each_other(browser: Browser) -> None:
    browser.open(REPORT)
    script = "return [...document.querySelectorAll('.finding td.number')].map(cell => getComputedStyle(cell).textAlign)"
    assert set(browser.driver.execute_script(script)) == {"right"}


def test_a_reader_goes_from_the_list_to_a_report_and_back(browser: Browser) -> None:
    browser.open("/")
    browser.driver.find_element(By.PARTIAL_LINK_TEXT, "dca-quarter ·").click()
    browser.wait_for("//p[@class='answer']")
    assert browser.driver.current_url == browser.server.address + REPORT
    browser.driver.find_element(By.LINK_TEXT, "Which agency collected more than expected?").click()
    assert browser.driver.current_url.endswith("#which-agency-collected-more-than-expected")
    browser.driver.execute_script("window.scrollTo(0, 0)")
    browser.driver.find_element(By.LINK_TEXT, "All reports").click()
    browser.wait_for("//ul[@class='reports']")
    assert browser.driver.current_url == browser.server.address + "/"


def test_the_page_opens_from_the_disk_as_well(browser: Browser) -> None:
    file = Path(browser.server.reports) / "agency_evaluation" / "dca-quarter" / SLOT / "current" / "page.html"
    browser.driver.get_log("browser")
    browser.driver.get(file.as_uri())
    assert browser.visible(".answer")
    assert browser.driver.get_log("browser") == []


def test_a_stranger_meets_a_form_and_the_token_opens_it(browser: Browser) -> None:
    browser.open("/")
    browser.driver.delete_all_cookies()
    browser.open(REPORT)
    assert not browser.driver.find_elements(By.CSS_SELECTOR, ".answer")
    browser.driver.find_element(By.NAME, "token").send_keys("not the token")
    browser.driver.find_element(By.CSS_SELECTOR, "button").click()
    browser.wait_for("//p[contains(., 'does not open')]")
    browser.driver.find_element(By.NAME, "token").send_keys(TOKEN)
    browser.driver.find_element(By.CSS_SELECTOR, "button").click()
    browser.wait_for("//ul[@class='reports']")
