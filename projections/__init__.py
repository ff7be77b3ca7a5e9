"""Read models, derived from the event log and rebuilt at will."""
