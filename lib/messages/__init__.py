"""What the messages of a trained network encode."""
