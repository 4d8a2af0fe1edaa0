"""`python -m tests.documents`: writes the documents' tables anew, from the code."""

from tests.documents.generated import ROOT, filled, pages


def main() -> None:
    """Write each document whose tables have changed, and say so."""
    for page in pages():
        text = page.read_text()
        current = filled(text)
        if current != text:
            page.write_text(current)
        print(f"{page.relative_to(ROOT)}: {'written' if current != text else 'current'}")


if __name__ == "__main__":
    main()
