"""The published language of OrderFlow: every message and row that crosses a process boundary."""
