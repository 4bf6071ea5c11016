"""From a report file to a page: parameters, runs, results, publishing, tables, figures, pages."""
