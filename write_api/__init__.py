"""The only writer of facts: commands in, events appended."""
