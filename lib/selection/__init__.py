"""From candidates to one announced law with error bars, or none, without the truth (design section 6)."""
