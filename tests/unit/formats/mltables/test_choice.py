"""A selection file: what it says, and one line for whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from azureml_replay.azure.config import config_of_document
from azureml_replay.errors import UserError
from azureml_replay.formats.mltables.choice import ChosenTable, table_choice

BOMB = "a0: &a0 [x]\n" + "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]\n" for at in range(1, 9))
EXAMPLE = Path(__file__).parents[4] / "config" / "mltables.yaml.example"


def test_the_example_that_ships_is_one(tmp_path: Path) -> None:
    """Its placeholders are refused as those of a config.json; with names, both workspaces are read."""
    choice = table_choice(EXAMPLE)
    mine = tmp_path / "mine.yaml"
    mine.write_text(EXAMPLE.read_text().replace("<", "").replace(">", ""))

    assert choice.tables == (ChosenTable("my-table", ("1", "2")), ChosenTable("another-table"))
    with pytest.raises(UserError, match="placeholder"):
        config_of_document(choice.source, "x")
    assert (
        config_of_document(table_choice(mine).target, "x").ref.name == "SUBSCRIPTION_ID/RESOURCE_GROUP/WORKSPACE_NAME"
    )


def test_names_and_versions_stay_as_they_are_spelt(tmp_path: Path) -> None:
    """`1.10` is no number, `no` is no truth, a date is no moment; one version needs no list, a name alone means all."""
    file = tmp_path / "a.yaml"
    file.write_text(
        "id: 0012\nmltables:\n- {name: no, versions: [1.10, 2023-05-05, '3']}\n- {name: b, versions: 7}\n- c\n"
    )

    choice = table_choice(file)

    assert choice.batch == "0012"
    assert choice.tables == (
        ChosenTable("no", ("1.10", "2023-05-05", "3")),
        ChosenTable("b", ("7",)),
        ChosenTable("c"),
    )
    assert choice.takes("c", "9")
    assert not choice.takes("b", "8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mltables: [", "line 1, column 12: not YAML: "),
        ("a: b: c", "line 1, column 5: not YAML: mapping values are not allowed here"),
        ("- just\n- a list\n", "expected batch_id, id, source … with a colon behind each"),
        ("mltable: []", "unknown key 'mltable': did you mean mltables?"),
        ("mltables: numbers", "mltables is no list: expected one entry a table"),
        ("mltables: [{versions: [1]}]", "mltables[0]: name is lacking"),
        ("mltables: [a, {name: b, version: [1]}]", "mltables[1]: unknown key 'version': did you mean versions?"),
        ("mltables: [{name: b, versions: {a: 1}}]", "versions is no list: expected [1, 2], or none for all"),
        ("mltables: [{name: [b]}]", "mltables[0]: name is no single value"),
        ("source: {subscription_id: x}", "source: resource_group and workspace_name lacking"),
        ("source: {subscription: x}", "source: unknown key 'subscription': did you mean subscription_id?"),
        ("a: &a [*a]", "not YAML: found unconstructable recursive node"),
        ("[" * 30 + "]" * 30, "nested too deeply"),
        (BOMB, "more than 1,000,000 values"),
        ("\x00", "not YAML: "),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)

    with pytest.raises(UserError) as raised:
        table_choice(file)

    assert str(raised.value).startswith(str(file))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_says_what_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a selection of MLTables"):
        table_choice(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="is a directory: expected a selection of MLTables"):
        table_choice(tmp_path)
