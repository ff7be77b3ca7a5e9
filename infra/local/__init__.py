"""Servers from wheels, run as children of this process."""
