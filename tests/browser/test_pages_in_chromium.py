"""The dossier and a run's page in a real browser without a network: what is fetched, what is cut, keyboard, print, accessibility.

Skipped where Playwright or Chromium is not installed; `tox -e browser` installs the one and expects the other. With
DOSSIER=FILE the dossier of that file is looked at, too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery.ledger import Ledger
from reports import bundle, page, story
from tests.test_dossier import ask, recover

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTHS = (1280, 400)
# What sticks out of the page, or is cut by a box that cannot be scrolled.
CUT = """() => {
  const cut = [];
  const scrolls = e => e && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!box.width || !box.height || e.closest("svg") || box.right <= 0) continue;
    if ((box.right > innerWidth + 1 || box.left < -1) && !scrolls(e.parentElement)) cut.push(e.outerHTML.slice(0, 120));
    if (/hidden|clip/.test(style.overflowX) && e.scrollWidth > e.clientWidth + 1) cut.push(e.outerHTML.slice(0, 120));
  }
  if (document.scrollingElement.scrollWidth > innerWidth) cut.push("the page is wider than the window");
  return cut;
}"""
BROKEN_LINKS = """() => [...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href"))
  .filter(href => href.startsWith("#") ? !document.getElementById(href.slice(1)) : !href.endsWith(".html"))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A dossier that is all GO, one that is not, and the page of a run."""
    folder = tmp_path_factory.mktemp("pages")
    good, bad = Ledger(folder / "good.jsonl"), Ledger(folder / "bad.jsonl")
    recover(good)
    ask(bad, "phase3", "NO-GO", actual=7)
    run = folder / "run.html"
    run.write_text(page.render(story.read(bad), "bad.dossier.html"))
    made = {"recovered": bundle.write_dossier(good), "not recovered": bundle.write_dossier(bad), "run": run}
    if named := os.environ.get("DOSSIER"):
        made["given"] = Path(named).resolve()
    return made


NAMES = ["recovered", "not recovered", "run", *(["given"] if os.environ.get("DOSSIER") else [])]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path], request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page that is open without a network, with what it asked for and what it complained of."""
    name, width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    tab = context.new_page()
    tab.asked, tab.complaints = [], []
    tab.on("request", lambda asked: tab.asked.append(asked.url))
    tab.on("console", lambda said: tab.complaints.append(said.text))
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.goto(pages[name].as_uri())
    yield tab
    context.close()


def each(*, schemes: tuple[str, ...] = ("light",), widths: tuple[int, ...] = WIDTHS) -> Any:
    cases = [(name, width, scheme) for name in NAMES for width in widths for scheme in schemes]
    return pytest.mark.parametrize("opened", cases, indirect=True, ids=lambda case: "-".join(map(str, case)))


@each(widths=(1280,))
def test_a_page_asks_for_nothing_complains_of_nothing_and_has_no_broken_link(opened: Any) -> None:
    assert opened.asked == [opened.url]
    assert opened.complaints == []
    assert opened.evaluate(BROKEN_LINKS) == []


@each()
def test_nothing_on_a_page_is_cut(opened: Any) -> None:
    assert opened.evaluate(CUT) == []


@each(schemes=("light", "dark"))
def test_axe_finds_no_violation(opened: Any) -> None:
    found = axe.Axe().run(opened).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in found] == []


@pytest.mark.parametrize("opened", [("recovered", 1280, "light")], indirect=True)
def test_the_keyboard_reaches_the_answers_and_copies_a_statement(opened: Any) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.textContent") == "Skip to the answers"
    opened.keyboard.press("Enter")
    assert opened.evaluate("location.hash") == "#answers"
    for _ in range(200):
        opened.keyboard.press("Tab")
        if opened.evaluate("document.activeElement.className") == "copy":
            break
    button = opened.evaluate_handle("document.activeElement")
    opened.keyboard.press("Enter")
    opened.wait_for_function("button => /Copied|Selected/.test(button.textContent)", arg=button)
    assert opened.evaluate(
        "button => getSelection().toString().trim() === button.nextElementSibling.textContent.trim()", button
    )


@each(widths=(1280,))
def test_a_page_prints_whole(opened: Any) -> None:
    opened.emulate_media(media="print")
    opened.set_viewport_size({"width": 688, "height": 1000})  # A4 without its margins
    assert opened.evaluate(CUT) == []
    assert opened.evaluate(
        "[...document.querySelectorAll('button')].every(b => getComputedStyle(b).display === 'none')"
    )
    assert opened.pdf(format="A4").startswith(b"%PDF")
