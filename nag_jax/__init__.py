"""Generate neural architectures for an objective with guided diffusion."""
