"""One order, from placing to completion or cancellation."""
