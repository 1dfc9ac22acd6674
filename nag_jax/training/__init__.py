"""Training of architectures: recipes, augmentation, the compiled step, and runs that are resumed."""
