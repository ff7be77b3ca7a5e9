"""Adapters: knows libraries, not use cases."""
