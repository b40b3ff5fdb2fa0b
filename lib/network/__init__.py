"""Graph networks: what they are made of, how they are trained, and what they predict."""
