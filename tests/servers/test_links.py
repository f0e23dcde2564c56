"""The pages to which maps and reports lead, on real servers, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from playwright.sync_api import expect

from azureml_replay.connection import page_of_run, page_of_workspace
from azureml_replay.mlflow.place import mlflow_place
from azureml_replay.model import RunId
from browser import launched
from mlflow_servers import NEWEST, OLDER, serving


@pytest.mark.slow
@pytest.mark.parametrize("version", [*OLDER, NEWEST])
def test_a_runs_page_opens_by_its_id_alone(version: str, tmp_path: Path) -> None:
    """No archive knows a target's ids of experiments, and no page asks for one."""
    with serving(tmp_path, version) as server, launched() as chromium:
        client = MlflowClient(server.url)
        run = client.create_run(client.create_experiment("linked"), run_name="a run of many").info.run_id
        place = mlflow_place(server.url)
        page = chromium.new_page()

        page.goto(page_of_run(place, None, RunId(run)) or "")
        expect(page.get_by_text("a run of many").first).to_be_visible(timeout=60_000)
        page.goto(page_of_workspace(place, None) or "")
        expect(page.get_by_text("Experiments").first).to_be_visible(timeout=60_000)
        expect(page.get_by_text("Page Not Found")).to_have_count(0)


def test_a_servers_workspace_gets_no_guessed_link() -> None:
    """Of its pages no address is known."""
    place = mlflow_place("https://mlflow.example", "team")

    assert (page_of_run(place, None, RunId("r")), page_of_workspace(place, None)) == (None, None)
    other = mlflow_place("https://mlflow.example/under/")
    assert page_of_run(other, None, RunId("r")) == "https://mlflow.example/under/#/runs/r"
