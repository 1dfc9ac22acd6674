"""Runs of the library: configs in, a workdir of results out."""
