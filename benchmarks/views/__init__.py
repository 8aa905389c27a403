"""What more views of an image gain and cost."""
