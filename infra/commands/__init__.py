"""Commands of `orderflow`, but for those about one service, which are in its own `commands`.

Each imports what it needs when it runs, so that `--help` answers at once.
"""
