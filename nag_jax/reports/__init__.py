"""What a pool of architectures is worth: `metrics`, `statistics` and `figures`, each imported on its own."""
