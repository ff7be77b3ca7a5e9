"""Commands of `orderflow`. Each imports what it needs when it runs, so that `--help` answers at once."""
