"""Training: the data set, the networks, their recipes and what they reached."""
