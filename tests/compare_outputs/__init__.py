"""Compare what the commands of two checkouts print and write, on a fixed list of inputs."""
