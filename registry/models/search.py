"""What is searched: one row of words and facets per asset, and the words there are, for those who mistype one."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from registry.models.assets import Asset


class AssetSearch(models.Model):
    """An asset as search sees it (registry.search.refresh writes it): its words, and the facets of its latest registered version.
    Words of the name, and of name, tags and the like, stand once more by themselves: each rank of the hits then has an index that
    answers it alone (weights inside of one vector would have each row looked at again). What moves with every change stands in the asset's own row, which search joins."""

    asset = models.OneToOneField(Asset, primary_key=True, on_delete=models.CASCADE, related_name="search")
    words = SearchVectorField()
    name_words = SearchVectorField()
    label_words = SearchVectorField()
    name = models.CharField(max_length=96)  # in lower case
    licence = models.CharField(max_length=100, blank=True)
    languages = ArrayField(models.CharField(max_length=35), default=list)
    library = models.CharField(max_length=60, blank=True)
    architecture = models.CharField(max_length=100, blank=True)
    size = models.CharField(max_length=16, blank=True)  # a class of registry.search.sizes
    tags = ArrayField(models.CharField(max_length=300), default=list)  # 'key' and 'key:value'
    refreshed_at = models.DateTimeField()

    class Meta:
        indexes = [
            GinIndex(fields=["words"], name="search_by_word", fastupdate=False),
            GinIndex(fields=["name_words"], name="search_by_name_word", fastupdate=False),
            GinIndex(fields=["label_words"], name="search_by_label_word", fastupdate=False),
            GinIndex(fields=["languages"], name="search_by_language"),
            GinIndex(fields=["tags"], name="search_by_tag"),
            # With the asset, so that what fits is read from the index alone.
            models.Index(fields=["name"], include=["asset"], name="search_by_name", opclasses=["varchar_pattern_ops"]),
            models.Index(fields=["licence"], include=["asset"], name="search_by_licence"),
            models.Index(fields=["library"], include=["asset"], name="search_by_library"),
            models.Index(fields=["size"], include=["asset"], name="search_by_size"),
        ]

    def __str__(self) -> str:
        return self.name


class SearchWord(models.Model):
    """A word that stands in some name, tag or card, and what is left of it without one of its letters: two words that share
    one of these differ by at most one letter left out, put in, changed or swapped. Nothing takes words out again: a suggestion is
    made only where it finds something that the asker sees."""

    word = models.CharField(max_length=40, primary_key=True)
    near = ArrayField(models.CharField(max_length=40))

    class Meta:
        indexes = [GinIndex(fields=["near"], name="search_word_by_nearness", fastupdate=False)]

    def __str__(self) -> str:
        return self.word
