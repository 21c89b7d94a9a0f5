"""What is assumed: the family of models, their parameters, likelihoods and data for Stan."""
