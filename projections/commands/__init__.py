"""Commands of `orderflow` about what is made from the log."""
