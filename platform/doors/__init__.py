"""The protocols that clients of other products speak: a package each. They only translate; rules stay below."""
