"""Running our own code on other people's files in a process that can reach nothing: no network, no secrets, no files but its own
folder, no more memory, time or processes than it is given. What of that the kernel did not grant is said in the outcome."""

from registry.confined.launch import Confined, Died, Limits, Outcome, run

__all__ = ["Confined", "Died", "Limits", "Outcome", "run"]
