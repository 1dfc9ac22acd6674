"""Objectives: what is measured, and which of it counts."""
