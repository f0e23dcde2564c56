"""Archive -> one HTML page that an auditor can open from disk, offline."""

from azureml_replay.report_page.write import NotBuilt, Reported, report

__all__ = ["NotBuilt", "Reported", "report"]
