"""Many inputs: one after the other, in a pool of processes, from a camera, or on a cluster."""
