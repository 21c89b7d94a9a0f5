"""What was observed: networks, where they are read from, and what is counted in them."""
