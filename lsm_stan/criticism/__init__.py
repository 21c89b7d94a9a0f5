"""What fits say: whether they can be trusted, how they compare, what the model gets wrong."""
