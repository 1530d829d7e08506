"""The sections of the report, one module each: from results to words, tables and figures."""
