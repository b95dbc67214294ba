"""The command line ``mixmatch``: a file per group of commands; ``app`` lists them all."""

from flows.cli.app import app, main

__all__ = ["app", "main"]
