"""Proof that the log was not touched: hashes over it, signed now and then, and what outsiders need to check them."""
