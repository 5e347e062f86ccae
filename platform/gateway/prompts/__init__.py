"""Changes of prompts, told as they happen: `GET /v1/prompts/events`, server-sent events. See docs/prompt-delivery.md.

feed reads them, permissions says who may hear of them, hub hands them to those who listen, door speaks HTTP.
"""
