"""What a person does on the page, and what they see."""

import base64

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.rich_service import NEW, OLD, picture

pytestmark = pytest.mark.browser

PHOTO = {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": picture()}
DROP = """
([name, type, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type }));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}
"""


def drop(page: Page, content: bytes, name: str = "photo.jpg", kind: str = "image/jpeg") -> None:
    page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])


def choose(page: Page, *tasks: str) -> None:
    for task in tasks:
        page.get_by_role("checkbox", name=task).check()


def test_an_image_that_is_dropped_becomes_bars(open_page):
    page = open_page()
    choose(page, "digits")
    drop(page, picture())
    answer = page.locator("article")
    expect(answer).to_contain_text("three")
    expect(answer).to_contain_text("91.0%")
    expect(answer).to_contain_text(NEW[:12])
    expect(answer).to_contain_text(" ms")
    width = "(one) => one.getBoundingClientRect().width"
    bars = [bar.evaluate(width) for bar in answer.locator(".track span").all()]
    assert bars == sorted(bars, reverse=True)
    assert bars[0] > 10 * bars[1]
    expect(page.get_by_role("status")).to_contain_text("photo.jpg: digits: three, 91.0%")


def test_every_kind_of_answer_is_told_in_its_own_way(open_page, service):
    page = open_page()
    page.set_input_files("#files", PHOTO)
    choose(page, "scenes", "ages", "birds")
    expect(page.get_by_label("Classes in the image").locator("li")).to_have_text(
        ["beach", "people"]
    )
    expect(page.locator("article", has_text="ages")).to_contain_text("41.7312")
    birds = page.locator("article", has_text="birds")
    expect(birds).to_contain_text("none of its classes")
    expect(birds).to_contain_text("songbirds")
    choose(page, "digits")
    drop(page, picture("#2b62b8"), "another.jpg")
    expect(page.locator("article")).to_have_count(8)
    assert any(asked.get("task") == "scenes,ages,birds,digits" for asked in service.asked)


def test_two_versions_stand_side_by_side(open_page):
    page = open_page()
    page.set_input_files("#files", PHOTO)
    choose(page, "digits")
    page.get_by_label("First").select_option(NEW)
    page.get_by_label("Second").select_option(OLD)
    answers = page.locator("article")
    expect(answers).to_have_count(2)
    expect(answers.nth(0)).to_contain_text(NEW[:12])
    expect(answers.nth(1)).to_contain_text(OLD[:12])
    expect(answers.nth(1)).to_contain_text("+49.0")
    choose(page, "shapes")
    expect(page.get_by_label("First")).to_be_hidden()


def test_where_the_model_looks_is_drawn_over_the_image(open_page):
    page = open_page()
    page.set_input_files("#files", PHOTO)
    choose(page, "digits", "shapes")
    page.get_by_label("Show where the model looks").check()
    canvas = page.locator(".frame canvas")
    page.get_by_label("Attention of").select_option(label="shapes")
    bright = canvas.evaluate(
        """(one) => {
          const middle = [0, one.height / 2, one.width, 1];
          const { data } = one.getContext("2d").getImageData(...middle);
          return [3.5 / 8, 7.5 / 8].map((share) => {
            const place = 4 * Math.floor(share * one.width);
            return data[place] * data[place + 3];
          });
        }"""
    )  # fmt: skip
    assert bright[0] > 10 * bright[1]
    page.get_by_label("Opacity").fill("20")
    expect(canvas).to_have_css("opacity", "0.2")
    expect(page.locator("article").first).to_contain_text("40% of its attention is on prompts")


@pytest.mark.parametrize(
    ("resize", "crop", "left_top_width_height"),
    [
        ("squash", 1.0, [0, 0, 200, 100]),
        ("squash", 0.5, [50, 25, 100, 50]),
        ("shorter", 1.0, [50, 0, 100, 100]),
        ("shorter", 0.8, [60, 10, 80, 80]),
    ],
)
def test_what_the_model_is_not_shown_stays_uncovered(
    open_page, resize, crop, left_top_width_height
):
    ask = """async (how) => {
      const { shown } = await import("/overlay.js");
      const { left, top, width, height } = shown({ width: 200, height: 100 }, how);
      return [left, top, width, height];
    }"""
    found = open_page().evaluate(ask, {"resize": resize, "crop": crop})
    assert found == pytest.approx(left_top_width_height)


def test_a_service_that_does_not_tell_where_it_looks_has_no_control_for_it(open_page, service):
    service.looks = False
    page = open_page()
    page.set_input_files("#files", PHOTO)
    choose(page, "digits")
    page.get_by_label("Show where the model looks").check()
    expect(page.locator("#looking")).to_be_hidden()
    expect(page.locator("article")).to_contain_text("91.0%")


def test_the_filter_shows_what_is_typed(open_page):
    page = open_page()
    page.get_by_label("Filter tasks").first.fill("dig")
    expect(page.locator("#choices label")).to_have_text(["digits canary"])
    page.get_by_label("Filter tasks").first.fill("zebra")
    expect(page.locator("#choices")).to_contain_text("No task has “zebra” in its name.")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (httpx.ConnectError("refused"), "make serve"),
        (httpx.Response(401), "--token-file"),
        (httpx.Response(503), "Ask again in a moment"),
    ],
)
def test_a_refusal_is_said_in_its_place_with_what_to_do_and_asked_again(
    open_page, service, reply, words
):
    page = open_page()
    choose(page, "digits")
    service.reply = reply
    page.set_input_files("#files", PHOTO)
    expect(page.locator("article")).to_contain_text(words)
    service.reply = None
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator("article")).to_contain_text("91.0%")


def test_a_bad_image_is_said_so_and_costs_no_other_one(open_page):
    page = open_page()
    choose(page, "digits")
    drop(page, b"no image", "notes.txt", "text/plain")
    drop(page, b"no image", "broken.jpg")
    drop(page, picture())
    expect(page.locator(".image").nth(2)).to_contain_text("notes.txt is no image")
    expect(page.locator(".image").nth(1)).to_contain_text("not an image that we take")
    expect(page.locator(".image").nth(0)).to_contain_text("91.0%")


def test_what_the_service_does_not_take_is_made_a_jpeg(open_page):
    page = open_page()
    choose(page, "digits")
    bmp = b"BM" + (58).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    bmp += (40).to_bytes(4, "little") + (1).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
    drop(page, bmp + b"\0\0\xff\0", "scan.bmp", "image/bmp")
    expect(page.locator(".image")).to_contain_text("made a JPEG here")
    expect(page.locator("article")).to_contain_text("91.0%")


def test_the_gallery_has_every_task_and_a_task_its_metrics_samples_and_card(open_page):
    page = open_page()
    page.get_by_role("link", name="Tasks", exact=True).click()
    expect(page.locator(".gallery li")).to_have_count(5)
    expect(page.locator(".gallery li").nth(2)).to_contain_text(
        "10 classes · spt-deep · 95.3% right"
    )
    page.get_by_role("link", name="digits").click()
    expect(page.get_by_role("heading", name="Model card")).to_be_visible()
    expect(page.locator(".card")).to_contain_text("images: 900")
    expect(page.locator(".metrics")).to_contain_text("95.3%")
    page.get_by_role("button", name="Ask about the sample of class 2").click()
    expect(page.locator("article")).to_contain_text("91.0%")
    expect(page.get_by_role("checkbox", name="digits")).to_be_checked()


def test_the_history_without_a_store_has_versions_and_no_controls(open_page):
    page = open_page()
    page.get_by_role("link", name="History").click()
    page.get_by_label("Task", exact=True).select_option("digits")
    expect(page.locator(".now")).to_contain_text("for 10.0%")
    expect(page.locator(".log li")).to_have_count(2)
    expect(page.locator("#view-history button")).to_have_count(0)


def test_who_has_the_key_promotes_and_rolls_back_after_a_question(open_page, store):
    page = open_page(with_store=True)
    assert "key" not in page.url
    page.goto(page.url.partition("#")[0] + "#history/digits")
    canary = store.record("digits").canary.version
    page.get_by_role("button", name="Promote the canary").click()
    page.get_by_role("button", name="Cancel").click()
    assert store.record("digits").canary is not None
    page.get_by_role("button", name="Promote the canary").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote the canary").click()
    expect(page.locator(".notice")).to_contain_text(f"Done: {canary[:12]} is current for digits.")
    assert store.record("digits").version == canary
    expect(page.locator(".log li").first).to_contain_text("from the playground")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.locator(".log li").first).to_contain_text("rollback")
    assert store.record("digits").version != canary


def test_a_change_of_what_somebody_else_has_changed_is_refused_in_words(open_page, store):
    page = open_page(with_store=True)
    page.goto(page.url.partition("#")[0] + "#history/digits")
    page.get_by_role("button", name="End the canary").wait_for()
    store.end_canary("digits")
    page.get_by_role("button", name="End the canary").click()
    page.get_by_role("dialog").get_by_role("button", name="End the canary").click()
    expect(page.locator("#view-history .alarm")).to_contain_text("expected a canary")
    expect(page.get_by_role("button", name="End the canary")).to_have_count(0)


def test_without_the_key_nothing_can_be_changed(open_page):
    page = open_page(with_store=True)
    page.evaluate("sessionStorage.clear()")
    page.goto(page.url.partition("#")[0] + "?#history/digits")
    expect(page.locator("#view-history")).to_contain_text("open the address")
    expect(page.locator("#view-history button")).to_have_count(0)


def test_the_keyboard_alone_is_enough(open_page):
    page = open_page()
    page.on("filechooser", lambda _: None)  # from now on, for to begin takes a while
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Choose images")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(PHOTO)
    page.get_by_role("checkbox", name="digits").focus()
    page.keyboard.press("Space")
    expect(page.locator("article")).to_contain_text("91.0%")
