"""Commands of `orderflow` about orders and payments."""
