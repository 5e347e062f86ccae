from prompts.models.labels import Label, LabelMove
from prompts.models.prompts import MAIN, Include, Prompt, PromptTag, PromptVersion, PromptVersionTag
from prompts.models.search import PromptSearch, PromptWord
from prompts.models.usage import PromptUse
from prompts.models.work import PromptBranch, PromptDraft

__all__ = [
    "MAIN",
    "Include",
    "Label",
    "LabelMove",
    "Prompt",
    "PromptBranch",
    "PromptDraft",
    "PromptSearch",
    "PromptTag",
    "PromptUse",
    "PromptVersion",
    "PromptVersionTag",
    "PromptWord",
]
