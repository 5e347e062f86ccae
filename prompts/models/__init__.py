from prompts.models.labels import Label, LabelMove
from prompts.models.prompts import Prompt, PromptVersion

__all__ = ["Label", "LabelMove", "Prompt", "PromptVersion"]
