"""The original tool's way of keeping jobs: one `jobs.json`, as a view of an archive, and as a source of one."""
