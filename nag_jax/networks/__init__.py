"""Networks: Flax modules of what is learned with."""
