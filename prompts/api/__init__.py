"""Native REST, a module per noun."""
