"""What the help of commands says beside their options: the order, the groups, the examples. Imports nothing."""

from __future__ import annotations

from collections.abc import Mapping

ORDER = (
    *("migrate", "doctor"),
    *("extract", "plan", "replay", "verify", "status", "report"),
    *("assets", "browse", "check", "map", "export", "merge", "undo", "help"),
)
"""Commands as the list of all has them: what does everything first, then the steps, then what one needs seldom."""

OTHER = "Options"
"""The group of options that no other group names; only the options of the old commands are there."""
GROUPS: Mapping[str, frozenset[str]] = {
    title: frozenset(names.split())
    for title, names in {
        "Places": (
            "--source --target --archive --objects --output --report --input --port --out-dir --source-dir "
            "--subscription --resource-group --workspace --tenant --source-subscription --source-resource-group "
            "--source-workspace --source-tenant --target-prefix"
        ),
        "Selection": (
            "--include --include-file --limit --experiment --status --type --tag --created-after --created-before "
            "--user --depth --include-active --strict-names --failed --selection"
        ),
        "What is carried": (
            "--metrics --code --redact --check-all --ids --on-conflict --prefer --keep-run-type --write-route"
        ),
        "Files": (
            "--artifacts --no-artifacts --files --max-file-size --artifact-budget --attach --deep --read-data "
            "--copy-artifacts --source-container --skip-data-copy --data-overwrite"
        ),
        "Assets": (
            "--assets --asset-types --asset --asset-list --asset-data --max-asset-size --outputs --map-datastore "
            "--on-asset-conflict --on-exists --on-scope-mismatch"
        ),
        "Jobs": (
            "--mode --compute --environment --edges --no-wait --resubmit --expand-automl-trials "
            "--replay-automl-max-trials --replay-automl-top-metric --replay-automl-trial-sampling --seed "
            "--debug-hierarchy --price-per-hour"
        ),
        "Findings": "--accept --forget-accepted --differ --combined",
        "How it works": (
            "--dry-run --parallel --workers --engine --ray-address --copy-concurrency --cap-mbps --take-over "
            "--yes --delete --confirm --open"
        ),
        "Output": (
            "--format --csv --shards --max-size --json --quiet --verbose --debug --log-file --version "
            "--install-completion --show-completion --help"
        ),
    }.items()
}
"""Title -> the options below it, of whatever command."""

VERBOSE: Mapping[str, str] = {
    "doctor": "Show every check, those that are ok too.",
    **dict.fromkeys(
        (
            *("assets", "browse", "status", "check", "map_", "plan", "report", "export", "merge"),
            *("export_yaml", "import_yaml"),
        ),
        "Show warnings as they come, in the log file too; of single runs this command has nothing more to tell.",
    ),
}
"""Command -> what `--verbose` shows there; all others tell of runs."""

_ENDS = "--source source.json --target target.json"
EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "": {
        f"azureml-replay doctor {_ENDS}": "Look for what would stand in the way:",
        f"azureml-replay migrate {_ENDS} --archive history": "Carry everything, and prove it:",
        "azureml-replay help migrate": "See the options of a command:",
    },
    "migrate": {
        f"azureml-replay migrate {_ENDS} --archive history": "Carry everything, and compare every value:",
        f"azureml-replay migrate {_ENDS} --archive history --experiment 'churn*' --deep": (
            "Carry some experiments, and compare the bytes of every file too:"
        ),
    },
    "doctor": {
        f"azureml-replay doctor {_ENDS}": "Examine both workspaces:",
        f"azureml-replay doctor {_ENDS} --archive history --verbose": "Keep what is found for replay, and show it all:",
    },
    "extract": {
        "azureml-replay extract --source source.json --archive history": "Read the whole workspace:",
        "azureml-replay extract --source source.json --archive history --artifacts download --code": (
            "Bring the bytes of files and the code of jobs as well:"
        ),
    },
    "plan": {
        "azureml-replay plan history --target target.json": "Plan for a workspace, by what it was seen to keep:",
        "azureml-replay plan history --mode synthetic --expand-automl-trials": "Plan jobs instead of histories:",
    },
    "replay": {
        "azureml-replay replay history --target target.json": "Write the histories as they were:",
        "azureml-replay replay history --target target.json --mode synthetic --compute cpu-cluster": (
            "Submit jobs that log them again:"
        ),
    },
    "verify": {
        "azureml-replay verify history --target target.json": "Compare every value:",
        "azureml-replay verify history --target target.json --deep": "Compare the bytes of every file too:",
    },
    "status": {"azureml-replay status history": "Show how far everything is:"},
    "report": {
        "azureml-replay report history --output report.html": "Write one page:",
        "azureml-replay report history --shards --output report": "Write a folder with the details of every run:",
    },
    "assets": {"azureml-replay assets history --target target.json": "List assets, and what became of each:"},
    "browse": {"azureml-replay browse history --open": "Look at runs, curves and files in MLflow's window:"},
    "check": {"azureml-replay check history --read-data": "Look at every byte that the archive keeps:"},
    "map": {"azureml-replay map history --csv": "Write the table of ids for a spreadsheet:"},
    "export": {"azureml-replay export history --format parquet --output tables": "Write tables for pandas or DuckDB:"},
    "merge": {
        "azureml-replay merge history from-laptop": "Bring what another archive of the same source holds:",
        "azureml-replay merge history part-1 part-2 --dry-run": "Show what would come:",
    },
    "undo": {
        "azureml-replay undo history --target target.json": "Ask, then take back what was written:",
        "azureml-replay undo history --target target.json --delete --confirm my-workspace": "Remove it for good:",
    },
    "help": {"azureml-replay help replay": "Show what replay offers:"},
}
"""Command -> a line to paste -> what it is for. A test parses each of them."""
