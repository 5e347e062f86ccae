from django.apps import AppConfig


class PromptsConfig(AppConfig):
    name = "prompts"

    def ready(self) -> None:
        from governance.subjects import announce
        from prompts.models import Prompt

        announce("prompt", Prompt)
