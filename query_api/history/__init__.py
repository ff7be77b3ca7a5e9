"""What anything was at an earlier point, and how it came to be what it is."""
