"""The original tool's `jobs.json`: written as a view of an archive, and read as the source of one."""
