"""The database schema, as plain SQL revisions."""
