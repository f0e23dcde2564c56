"""Archive -> one HTML page that an auditor can open from disk, offline."""

from azureml_replay.report.write import NotBuilt, Reported, report

__all__ = ["NotBuilt", "Reported", "report"]
