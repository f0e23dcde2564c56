"""The documents of submitted jobs: ARM's job, the runs in run history, the compute they run on."""
