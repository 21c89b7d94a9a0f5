"""What draws mean: arrays in, arrays and tables out."""
