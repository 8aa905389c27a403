"""Train the networks: data sets, architectures, recipes, runs and their figures."""
