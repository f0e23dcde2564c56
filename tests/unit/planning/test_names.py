"""Names and paths as a plain MLflow server takes them."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azureml_replay.model import Artifact, Location, StoredFile
from azureml_replay.planning.files import ALL_FILES, planned
from azureml_replay.planning.names import fit_name, fit_path, fit_text
from azureml_replay.workspace.profile import NameRule, PathRule

RULE, PATHS = NameRule(colon=False), PathRule(unicode=False)
TAKEN = re.compile(r"[/\w.\- ]+")
HARD = st.text(st.sampled_from("a./#%:?é\u0301\n\\4 😀") | st.characters(), max_size=12)


@pytest.mark.parametrize(
    "name",
    [
        "loss",
        "val/loss",
        "a b.c-d_e",
        "ä",
        " a ",
        "漢字",
        ".hidden",
        "a..b",
        "lr (μ)".replace("(", "").replace(")", ""),
    ],
)
def test_a_name_that_servers_take_stays(name: str) -> None:
    """Letters and digits of any script, and six signs."""
    assert fit_name(name, RULE) == name
    assert fit_name(name, None) == name


@pytest.mark.parametrize(
    "name",
    [
        "a#b",
        "50%",
        "a?",
        "f(x)",
        "a=1",
        "a,b",
        "\t",
        "😀",
        "a\u0301",
        "a//b",
        "/a",
        "a/",
        ".",
        "..",
        "./a",
        "a/../b",
        "",
        "a:b",
    ],
)
def test_another_name_gets_one_of_its_own(name: str) -> None:
    """It shows where it comes from, and has a part of its digest."""
    made = fit_name(name, RULE)

    assert made != name
    assert re.search(r"_[0-9a-f]{6}\Z", made)
    assert (fit_name("a:b", NameRule()) == "a:b") is True


def test_a_name_that_means_something_there_gets_another_one() -> None:
    """Properties are tags that begin so."""
    assert re.fullmatch(r"property_x_[0-9a-f]{6}", fit_name("property.x", RULE, reserved=("property.",)))
    assert fit_name("azureml.x", RULE, reserved=("property.",)) == "azureml.x"


@given(HARD, HARD)
def test_every_name_is_one_that_servers_take_and_two_stay_two(one: str, other: str) -> None:
    """By the rules that were measured."""
    made = fit_name(one, RULE)

    assert TAKEN.fullmatch(made)
    assert unicodedata.normalize("NFC", made) == made
    assert not made.startswith("/")
    assert not made.endswith("/")
    assert not {"", ".", ".."} & set(made.split("/"))
    assert (made == fit_name(other, RULE)) == (one == other)


@pytest.mark.parametrize("path", ["outputs/model.pkl", "a b/c&;+\\'\"<*~", ".hidden", "a..b/c", "100%", "ü.txt", "a:b"])
def test_a_path_that_servers_keep_stays(path: str) -> None:
    """Spaces and signs, too."""
    assert fit_path(path, PATHS) == path


@pytest.mark.parametrize(
    "path",
    [
        "a#b",
        "a/../b",
        "./a",
        "a//b",
        "/a",
        "a/",
        "C:/x",
        "p%41.txt",
        "p%2541.txt",
        "a\nb",
        "a\x7fb",
        "a?b",
        "d/ a",
        "a /b",
        "😀",
        "x" * 256,
        "d/" * 601 + "x",
    ],
)
def test_another_path_is_moved(path: str) -> None:
    """Two that a server takes for one stay two."""
    made = fit_path(path, PATHS)

    assert re.fullmatch(r"replay/source/[0-9a-f]{8}-[A-Za-z0-9._\- ]*", made)
    assert fit_path(made, PATHS) == made
    assert fit_path("😀", PathRule()) == "😀"


def test_no_file_lies_below_a_file() -> None:
    """As blobs may, and files on a disk cannot."""
    stored = StoredFile(location=Location("store", "x"), size_bytes=1)
    paths = ["a", "a-b", "a/b", "a/b/c", "ab/c"]
    files = [Artifact(path=path, location=Location("store", path), indexed=True, stored=stored) for path in paths]

    found = {one.artifact.path: one.moved for one in planned(files, ALL_FILES, 1_000, rule=PATHS) if one.artifact}

    assert found == {"a": False, "a-b": False, "a/b": True, "a/b/c": True, "ab/c": False}


def test_texts_lose_what_would_cut_a_request() -> None:
    """The text around it stays."""
    assert fit_text("a\0b\ud83dc") == "a\u2400b\ufffdc"
    assert fit_text("ü😀") == "ü😀"
