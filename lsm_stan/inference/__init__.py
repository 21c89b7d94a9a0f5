"""From data to a fit: the methods, where they start, how they run, and what they leave."""
