"""The decisions: pure decide, evolve and fold per aggregate."""
