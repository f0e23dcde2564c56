"""The entry point of `azureml-sandbox`: says what is missing where the package was installed without its extra."""

from __future__ import annotations

import sys

NEEDED = (
    "azureml-sandbox: {name} is not installed: the local workspace needs pip install 'azureml-job-replayer[sandbox]'"
)


def main() -> None:
    """Run the command line; without the extra's packages print one line on stderr and exit with code 2."""
    try:
        from azureml_sandbox.cli.app import main as run  # noqa: PLC0415 - what this file is for
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("azureml_sandbox"):
            raise
        print(NEEDED.format(name=missing.name), file=sys.stderr)  # noqa: T201 - the sandbox's own terminal is not there
        sys.exit(2)
    run()
