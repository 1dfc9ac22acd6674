"""Training: states, fit loops, checkpoints."""
