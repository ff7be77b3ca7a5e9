"""Coordinates what spans aggregates: reacts to events, asks for work."""
