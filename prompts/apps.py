from django.apps import AppConfig


class PromptsConfig(AppConfig):
    name = "prompts"

    def ready(self) -> None:
        from django.urls import register_converter

        from governance.subjects import announce
        from prompts.models import Prompt
        from prompts.names import PromptNameConverter

        register_converter(PromptNameConverter, "prompt_name")
        announce("prompt", Prompt)
