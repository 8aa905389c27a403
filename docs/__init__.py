"""The guides, and the script that writes their option tables."""
