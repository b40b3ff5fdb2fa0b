"""Systems of many bodies: liquid argon, dark-matter halos and the solar system."""
