"""Answers questions from the read models."""
