"""An archive's histories as tables, for tools that know nothing of this one."""

from azureml_replay.formats.tables.export import Exported, Format, export

__all__ = ["Exported", "Format", "export"]
