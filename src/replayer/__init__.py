"""The original tool's second command, under its name; the code is in `azureml_replay`."""

import sys

if sys.argv[0] == "-m":  # `python -m replayer.…`, which loads this first: its modules take 0.4 s
    from azureml_replay.cli.process import prepare

    prepare()
