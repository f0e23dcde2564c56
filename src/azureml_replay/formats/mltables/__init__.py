"""MLTable data assets between two workspaces, through a folder: what the original tool's later versions did."""
