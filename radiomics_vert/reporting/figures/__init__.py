"""The figures of the report: from tables to pictures with captions."""

"""The figures of the report: from tables to pictures with captions."""
