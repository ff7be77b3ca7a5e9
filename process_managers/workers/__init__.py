"""Do what a process asked for outside the platform, and tell the write API what came of it."""
