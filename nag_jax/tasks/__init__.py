"""Tasks: whole pieces of work with settings."""
