"""Marked blocks of the documents, whose text is made from the code and from results.

```
<!-- generated: settings -->
(the table)
<!-- end -->
```
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.documents import errors, tables

ROOT = Path(__file__).parent.parent.parent
_MARKED = re.compile(r"(<!-- generated: ([a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)

TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "settings": tables.settings,
    "launch": tables.launch,
    "tenants": tables.tenants,
    "trusted": tables.trusted,
    "statuses": tables.statuses,
    "methods": tables.methods,
    "differences": tables.differences,
    "metrics": tables.metrics,
    "recipe": tables.recipe,
    "commands": tables.commands,
    "faults": tables.faults,
    "codes": errors.over_http,
    "errors": errors.at_the_command_line,
    "clienterrors": errors.of_clients,
}


def pages() -> list[Path]:
    """Return every document that has marked blocks."""
    return [path for path in sorted((ROOT / "docs").glob("*.md")) if names(path)]


def names(path: Path) -> list[str]:
    """Return the names of a document's marked blocks."""
    return [match[2] for match in _MARKED.finditer(path.read_text())]


def filled(text: str) -> str:
    """Return a document's text with each marked block made anew."""
    return _MARKED.sub(lambda block: f"{block[1]}{TABLES[block[2]]()}\n{block[3]}", text)
