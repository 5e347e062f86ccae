"""REST views of this app, by noun."""
