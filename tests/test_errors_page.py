"""The catalogue of errors: what a person can meet is in it, with a cause and a cure."""

from adapters import errors as adapters_errors
from adapters.program import UsageError
from clients import errors as clients_errors
from serving.protocol import ErrorCode
from tests.documents.errors import ROOT, ROOTS, classes, messages, raised, said
from trainer.errors import DataError

NEVER_SEEN = {
    # of Python and of packages, where they ask for these
    "ArgumentTypeError",  # wrong usage: argparse says which option, and exits with 2
    "ArrowInvalid",
    "AttributeError",
    "FormParserError",
    "HTTPException",  # becomes a BadParameter
    "ImportError",  # says which package to install
    "InvalidResponse",
    # told as they are: the file, and what the system said of it
    "FileExistsError",
    "OSError",
    "OutputRefused",
    # wrong arguments of our functions; commands put them into words of theirs
    "TypeError",
    "ValueError",
    # between our processes
    "Changed",  # of a bucket: what was read is another by now; it is done again
    "ConnectionResetError",
    "EOFError",
    "Exception",
    "Refused",
    "RuntimeError",
    "TimeoutError",
}
"""What is raised and is no class of the catalogue."""

MAKERS = {"too_large", "unavailable", "with_strays"}
"""Functions of other modules that make an error of the catalogue."""


def test_every_class_has_a_cause_and_a_cure_in_whole_sentences():
    for kind in classes():
        assert all(part.endswith(".") for part in said(kind)), kind


def test_every_error_that_our_code_raises_is_in_the_catalogue():
    known = {kind.__name__ for kind in classes()}
    others = {(name, where) for name, where in raised() if name not in known | NEVER_SEEN | MAKERS}
    assert others == set()
    assert {name for name, _ in raised()} >= NEVER_SEEN | MAKERS, "a line here is for nothing"


def test_both_trees_and_wrong_usage_are_in_the_catalogue():
    assert {*classes()} >= {*adapters_errors.SptError.__subclasses__()} - {*ROOTS}
    assert {*classes()} >= {*clients_errors.ClientError.__subclasses__()}
    assert UsageError in classes()


def test_a_message_has_its_words_and_signs_for_what_differs():
    found = messages(DataError)
    assert "…: expected a new or an empty folder, found files in it; name another one" in found
    assert len(found) > 80


def test_classes_of_one_name_have_their_own_messages():
    ours, of_clients = adapters_errors.TaskNotFound, clients_errors.TaskNotFound
    assert messages(ours) != messages(of_clients)


def test_every_status_leads_to_its_code():
    page = (ROOT / "docs" / "errors.md").read_text()
    serving = (ROOT / "docs" / "serving.md").read_text()
    for code in ErrorCode:
        assert f"\n### {code}\n" in page
        assert f"(errors.md#{code})" in serving
