"""What a version of a prompt weighs, for its page of differences: tokens by its model's tokenizer, cost by its deployment's price."""

from accounts.access import Actor, can
from accounts.errors import Problem
from accounts.roles import Permission
from prompts.extras import Weight
from prompts.models import PromptVersion
from serving.prices import cost_of, deployment_called, in_words
from serving.tokenizing import count


def weigh(by: Actor, version: PromptVersion) -> Weight | None:
    """Tokens of the template as it is, and what they cost as input; no cost where no price is set or seen."""
    given = version.template if isinstance(version.template, str) else "\n".join(_contents(version))
    try:
        counted = count(version.model, given, by)
    except Problem:
        return None
    deployment = deployment_called(version.model) if version.model else None
    if deployment is not None and not can(by, Permission.DEPLOYMENT_VIEW, deployment):
        deployment = None
    cost = cost_of(deployment, counted.tokens, 0)
    words = in_words(cost, deployment.price_currency) if deployment is not None else ""
    return Weight(counted.tokens, counted.counted_with, counted.exact, words)


def _contents(version: PromptVersion) -> list[str]:
    return [str(message["content"]) for message in version.messages if message.get("content")]
