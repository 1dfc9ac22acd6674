"""Reports: outcomes of tasks as JSON, tables, figures and pages; measures and statistics, each imported on its own."""
