"""The engines a book can live on: DuckDB, Spark, PostgreSQL. `book.engine.open_engine` chooses; nothing else asks which one runs."""
