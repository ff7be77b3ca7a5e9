"""The page: what a shop's staff sees first, rendered here, alive by the stream, whole without scripts."""
