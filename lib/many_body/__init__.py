"""Systems of many bodies: liquid argon and dark-matter halos."""
