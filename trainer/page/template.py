"""Pages from templates: one skeleton, one style, one wording of numbers, no other file needed."""

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trainer.page import words
from trainer.page.palette import page_style

_HERE: Final = Path(__file__).parent
_FILTERS: Final = (
    words.percent, words.count, words.size, words.milliseconds, words.duration, words.short,
    words.recorded,
)  # fmt: skip


def render_page(template: Path, **values: Any) -> str:
    """Return the page that a template and its values make; text is escaped, drawings are not.

    Args:
        template: extends `base.html` of this folder.
        values: what the template names; one that is missing is an error.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({one.__name__: one for one in _FILTERS})
    environment.globals["page_style"] = page_style()
    return environment.get_template(template.name).render(**values)
