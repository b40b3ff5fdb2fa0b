"""Laws, trajectories and data sets: what is simulated."""
