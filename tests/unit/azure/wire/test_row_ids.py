"""The ids of metric rows: the same for the same row, in every version, since archives were sent with them."""

from uuid import uuid5

from azureml_replay.azure.wire.encode import ROW_IDS, metric_batch
from azureml_replay.model import Points, RunId, Series, SeriesKey


def test_an_id_is_the_uuid_of_run_name_row_and_ordinal() -> None:
    """Bits count: -0.0 is another row than 0.0, and of two equal rows the second has an ordinal of its own."""
    series = Series(key=SeriesKey("loss", "space"), columns=(("loss", "Double"),), ux_type=None)
    rows = [(value, step) for value in (0.5, -0.0, float("inf")) for step in range(40)]
    points = Points(series, [step for _, step in rows], [7] * len(rows), ([value for value, _ in rows],))

    body, _ = metric_batch(RunId("run"), [points, points])

    wanted = [
        str(uuid5(ROW_IDS, "\x1f".join(("run", "'space'", "loss", f"{step}\x1e7\x1e{value.hex()}", str(ordinal)))))
        for ordinal in range(2)
        for value, step in rows
    ]
    assert [row["metricId"] for metric in body["values"] for row in metric["value"]] == wanted
