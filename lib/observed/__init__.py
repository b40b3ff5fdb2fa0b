"""A user's own data: from a file of trajectories to an announced law."""
