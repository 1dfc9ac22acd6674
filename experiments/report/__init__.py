"""The page that a run leaves behind, and `python -m experiments.report RUN [RUN ...]`, which puts runs side by side."""
