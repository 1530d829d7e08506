"""Simulation studies whose small result tables are committed; README.md tells what they show."""
