"""Names as a terminal may show them: what moves the cursor or hides is spelled out."""

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control and format characters, halves of pairs, separators of lines and paragraphs."""

_JOINERS = "\u200c\u200d"
"""Parts of words in Persian and Hindi, and of emoji."""


def is_hidden(character: str) -> bool:
    """Return whether a character has no shape of its own and no place in a name."""
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS


def shown(text: str) -> str:
    r"""Return the text with every hidden character spelled out, such as `\x1b` for ESC."""
    if text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode() if is_hidden(c) else c for c in text)
