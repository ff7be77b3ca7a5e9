"""Versions of read models beside the serving ones: made from the log, compared, switched and switched back."""
