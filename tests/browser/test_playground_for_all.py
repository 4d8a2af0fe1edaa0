"""The page for everyone: axe finds nothing, on phones, in the dark, and nothing sticks out."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.test_playground_page import PHOTO, choose

pytestmark = pytest.mark.browser


def violations(page: Page) -> list[str]:
    """Return what axe finds, each with where."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['target'] for node in one['nodes']]}" for one in found]


def sticks_out(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_anywhere(open_page, service, size, scheme):
    page = open_page(size, scheme, with_store=True)
    page.emulate_media(reduced_motion="reduce")  # colours are looked at when they have settled
    found = {"empty": violations(page)}
    page.set_input_files("#files", PHOTO)
    choose(page, "digits", "scenes", "ages", "birds")
    page.get_by_label("Show where the model looks").check()
    expect(page.get_by_label("Attention of")).to_be_visible()
    found["answers"] = violations(page)
    assert not sticks_out(page)
    page.set_input_files("#files", {**PHOTO, "buffer": b"none"})
    expect(page.locator(".alarm").first).to_be_visible()
    found["refusals"] = violations(page)
    base = page.url.partition("#")[0]
    for view, wanted in {
        "tasks": ".gallery strong",
        "tasks/digits": ".card li",
        "history/digits": ".log li button",
    }.items():
        page.goto(f"{base}#{view}")
        expect(page.locator(wanted).first).to_be_visible()
        found[view] = violations(page)
        assert not sticks_out(page)
    page.get_by_role("button", name="Roll back").click()
    found["question"] = violations(page)
    assert {view: what for view, what in found.items() if what} == {}


def test_who_wants_no_motion_gets_none(chromium, open_page):
    page = open_page()
    page.emulate_media(reduced_motion="reduce")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('#drop')).transitionDuration")
        == "0s"
    )
