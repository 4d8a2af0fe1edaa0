"""A study's page as one HTML file with its figures in it."""

from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trainer.reproduce.document import DASH, Page
from trainer.reproduce.pages.markdown import BESIDE, MEANS, SMOKE


def html_of(page: Page) -> str:
    """Return the page as HTML that runs no script and asks nothing of the network."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["picture"] = _data_uri
    template = environment.get_template("page.html")
    return template.render(page=page, dash=DASH, means=MEANS, beside=BESIDE, smoke=SMOKE)


def _data_uri(path: Path) -> str:
    return f"data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"
