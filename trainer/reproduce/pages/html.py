"""A study's page as one HTML file with its pictures in it."""

from pathlib import Path
from typing import Final

from trainer.page.template import render_page
from trainer.reproduce.document import DASH, Page
from trainer.reproduce.pages.markdown import BESIDE, MEANS, SMOKE

_TEMPLATE: Final = Path(__file__).parent / "page.html"


def html_of(page: Page) -> str:
    """Return the page as HTML that runs no script and asks nothing of the network."""
    return render_page(_TEMPLATE, page=page, dash=DASH, means=MEANS, beside=BESIDE, smoke=SMOKE)
