"""What auditors look at, and how that is recorded."""
