"""`python -m azureml_sandbox`: the command `azureml-sandbox`."""

import os
import sys

if not sys.flags.safe_path and not __file__.startswith(os.path.join(sys.path[0], "")):  # noqa: PTH118 - no more imports
    del sys.path[0]  # the user's folder, whose copy.py or random.py is not Python's

from azureml_sandbox.cli.command import main

main()
