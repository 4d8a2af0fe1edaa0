"""The documents: short where they greet, true where they command, current where code decides."""

import json
import re
from pathlib import Path

import pytest

from adapters.trust.statement import statement
from serving.door.tenants import parse_tenants
from tests.documents.console import Command, commands
from tests.documents.generated import TABLES, filled, names, pages
from tests.documents.markdown import Block, blocks, inline_code, links, sentences
from tests.documents.programs import check, console_scripts
from tests.documents.tables import command_tables

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [README, ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md", *DOCS]
DIGEST = "af401bdbb907" + "0" * 52
"""Of the version in an example."""

LANGUAGES = {"console", "python", "json", "text"}
DIALECT = re.compile(
    r"\b(beside|of (?:its|their) own|unless told|who(?:m|so)?ever|whatever|so many|he|him|his)\b",
    re.IGNORECASE,
)

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def of_language(*languages: str) -> list[object]:
    """Return the documents' code blocks of these languages, each with its place as its name."""
    return [
        pytest.param(block, id=f"{path.name}:{block.line}")
        for path in DOCUMENTS
        for block in blocks(path)
        if block.language in languages
    ]


def mean(numbers: list[int]) -> float:
    return sum(numbers) / len(numbers)


def test_the_readme_has_at_most_130_lines_of_100_characters_and_900_words():
    text = README.read_text()
    assert len(text.splitlines()) <= 130
    assert max(map(len, text.splitlines())) <= 100
    assert len(text.split()) <= 900


@each_document
def test_a_sentence_has_at_most_15_words_on_average(path: Path):
    assert mean([len(sentence.split()) for sentence in sentences(path)]) <= 15


def test_the_readme_shows_two_pictures_within_its_first_screen():
    pictures = re.findall(r"^!\[", "\n".join(README.read_text().splitlines()[:25]), re.MULTILINE)
    assert len(pictures) == 2


def test_contributing_has_at_most_50_lines():
    assert len((ROOT / "CONTRIBUTING.md").read_text().splitlines()) <= 50


def test_the_places_that_contributing_names_exist():
    places = [code for code in inline_code(ROOT / "CONTRIBUTING.md") if "/" in code]
    ours = [place for place in places if not place.startswith("<package>")]
    assert len(ours) > 10
    assert [place for place in ours if not (ROOT / place).exists()] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_a_page_asks_a_question_and_answers_it_in_its_first_paragraph(path: Path):
    title, _, answer = path.read_text().partition("\n\n")
    assert re.fullmatch(r"# .+\?", title)
    assert 1 <= len(answer.partition("\n\n")[0].splitlines()) <= 6
    assert answer[0].isalnum() or answer[0] == "`"


def test_the_readme_leads_to_every_page():
    assert {f"docs/{path.name}" for path in DOCS} <= set(links(README))


@each_document
def test_every_link_and_picture_exists(path: Path):
    targets = [link for link in links(path) if link and "://" not in link]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_the_documents_are_written_in_plain_words(path: Path):
    assert DIALECT.findall(path.read_text()) == []


@each_document
def test_every_code_block_says_what_it_is(path: Path):
    assert {block.language for block in blocks(path)} <= LANGUAGES


@pytest.mark.parametrize("block", of_language("console"))
def test_every_command_of_a_document_can_be_typed(block: Block):
    typed = commands(block)
    assert typed
    for command in typed:
        check(command)


@pytest.mark.parametrize(
    "words",
    [
        "make trian",
        "make train TASKS=digits",
        "python -m trainer trian digits",
        "python -m trainer train digits --sede 3",
        "python -m tests.faults --rows nonsense",
        "curl -T photo.jpg http://127.0.0.1:8080/spt/predict?tasks=digits",
        "curl -T photo.jpg http://127.0.0.1:8080/spt/predikt?task=digits",
        "curl http://127.0.0.1:8081/models/spt?customised=true",
        "torchserve --start --ts-config serving/torchserve/config.propertys",
        "torchrun --nproc-per-node 4 -m trainer train digits --sede 3",
        "export RADIS_URL=redis://127.0.0.1",
        "sptt ls",
        "spt lss",
        "spt ls --jsno",
        "spt publish",
    ],
)
def test_a_command_that_does_not_exist_is_found(words: str):
    with pytest.raises((ValueError, SystemExit)):
        check(Command(tuple(words.split())))


def test_what_follows_a_prompt_is_a_command_and_all_else_is_output():
    text = "$ A_B=$(cat a b) spt ls \\\n    --json | python -m json.tool  # why\n[]\n"
    assert commands(Block("console", text, 1)) == [
        Command(("spt", "ls", "--json"), ("A_B",)),
        Command(("python", "-m", "json.tool")),
    ]


@each_document
def test_every_command_named_in_a_sentence_exists(path: Path):
    named = {match[1] for code in inline_code(path) if (match := re.match("spt ([a-z]+)", code))}
    assert named - {name for table in command_tables() for name in table.commands} == set()


@pytest.mark.parametrize("block", of_language("json"))
def test_an_example_of_a_file_is_one_that_the_service_reads(block: Block):
    example = block.text.replace("sha256:…", "sha256:" + "0" * 64)
    if '"_type"' in example:
        assert example.strip() == statement("digits", DIGEST).decode()
        return
    assert json.loads(example).keys() == {"tenants"}
    assert parse_tenants(example.encode(), Path("tenants.json")).tenants


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_the_tables_from_the_code_are_current(page: Path):
    text = page.read_text()
    assert text == filled(text), "run `make docs`"


def test_every_table_from_the_code_stands_in_a_page():
    assert sorted(name for page in pages() for name in names(page)) == sorted(TABLES)


def test_a_table_that_is_not_current_is_found():
    stale = "<!-- generated: statuses -->\n| 400 | nonsense |\n<!-- end -->\n"
    assert "nonsense" not in filled(stale)
    assert "bad_image" in filled(stale)


def test_the_one_command_is_a_console_script():
    assert console_scripts().keys() == {"spt"}
