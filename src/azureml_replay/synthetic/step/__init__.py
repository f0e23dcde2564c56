"""The program on the compute: logs one original run's values into the job's own run and copies files to `./outputs`.

Standard library only, Python 3.8 or newer, so that every Python image serves. Shipped to the workspace as it is here.
"""
