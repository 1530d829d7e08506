"""Documentation, and the two tools that keep it true: `docs.generate` and `docs.run_readme`."""
