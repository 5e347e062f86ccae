"""The services that Countersign brings along: PostgreSQL, Redis and Ray, each from a wheel, each on loopback only."""
