"""Campaigns: long trials of what may happen to a run, each of which prints one line of figures."""
