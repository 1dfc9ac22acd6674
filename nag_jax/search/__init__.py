"""Search: generating architectures, and deciding which to label."""
