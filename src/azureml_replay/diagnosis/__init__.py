"""What a migration would stumble over, looked for beforehand."""
