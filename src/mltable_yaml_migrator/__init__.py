"""The original tool's commands for MLTables, under their names; the code is in `azureml_replay`."""

import os
import sys

if sys.argv[0] == "-m":  # `python -m mltable_yaml_migrator.…`, which loads this first: its modules take 0.4 s
    if not sys.flags.safe_path and not __file__.startswith(os.path.join(sys.path[0], "")):  # noqa: PTH118 - no more imports
        del sys.path[0]  # the user's folder, whose copy.py or random.py is not Python's
    from azureml_replay.cli.process import prepare

    prepare()
