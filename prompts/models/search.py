"""What is searched: the words of each prompt, and the words there are, for those who mistype one."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from prompts.models.prompts import Prompt


class PromptSearch(models.Model):
    """A prompt as search sees it (prompts.search writes it): the words of its name and tags, and with them those of its description
    and of the newest text."""

    prompt = models.OneToOneField(Prompt, primary_key=True, on_delete=models.CASCADE, related_name="search")
    name_words = SearchVectorField()
    words = SearchVectorField()
    refreshed_at = models.DateTimeField()

    class Meta:
        indexes = [
            GinIndex(fields=["name_words"], name="prompt_search_by_name", fastupdate=False),
            GinIndex(fields=["words"], name="prompt_search_by_word", fastupdate=False),
        ]

    def __str__(self) -> str:
        return str(self.prompt_id)


class PromptWord(models.Model):
    """A word of some prompt, and what is left of it without one of its letters: two words that share one of these differ by at
    most one slip. Nothing takes words out again: a guess is made only where it finds something that the asker sees."""

    word = models.CharField(max_length=40, primary_key=True)
    near = ArrayField(models.CharField(max_length=40))

    class Meta:
        indexes = [GinIndex(fields=["near"], name="prompt_word_by_nearness", fastupdate=False)]

    def __str__(self) -> str:
        return self.word
