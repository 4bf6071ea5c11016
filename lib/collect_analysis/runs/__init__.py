"""Report files found, planned, executed by papermill, verified, published; the pages."""
