"""How a running platform fares: its processes, its servers, and what waits where."""
