"""A prompt of another team, which Alice sees and nobody else of acme."""

from accounts.actions import create_team, grant_role
from prompts.actions import create_prompt, create_version


def lend(cast, actor):
    """beta/tone, version 1: 'Be kind and secretive.'"""
    admin = actor(cast.admin)
    beta = create_team(name="beta", title="Beta", by=admin)
    grant_role(user=cast.admin, role="contributor", on=beta, by=admin)
    grant_role(user=cast.alice, role="viewer", on=beta, by=admin)
    tone = create_prompt(team=beta, name="tone", by=admin)
    create_version(prompt=tone, type="text", template="Be kind and secretive.", by=admin)
    return tone
