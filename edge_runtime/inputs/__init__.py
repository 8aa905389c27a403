"""From what a user names to pixels: names, listing, fetching and decoding."""
