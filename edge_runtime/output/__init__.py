"""Results as text, JSON, CSV or Parquet, and the files that hold them."""
