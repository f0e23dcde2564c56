"""`python -m azureml_replay` is the command `azureml-replay`."""

import os
import sys

if __name__ == "__main__":
    if not sys.flags.safe_path and not __file__.startswith(os.path.join(sys.path[0], "")):  # noqa: PTH118 - no more imports
        del sys.path[0]  # the user's folder, whose copy.py or random.py is not Python's
    from azureml_replay.cli import main

    main()
