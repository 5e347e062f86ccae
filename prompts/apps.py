from django.apps import AppConfig


class PromptsConfig(AppConfig):
    name = "prompts"

    def ready(self) -> None:
        from django.urls import register_converter

        from accounts.access import can
        from accounts.roles import Permission
        from governance.subjects import announce
        from notifications import mlflow
        from prompts.exchange.mlflow import prompt_details, version_details
        from prompts.extras import add_version_extra
        from prompts.models import Prompt
        from prompts.names import PromptNameConverter
        from prompts.tabs import add_tab
        from prompts.views.usage import chips

        register_converter(PromptNameConverter, "prompt_name")
        announce("prompt", Prompt)
        mlflow.announce("prompt", prompt_details)
        mlflow.announce("prompt_version", version_details)
        add_tab("versions", "Versions", "prompt-detail", 10)
        add_version_extra(chips)
        add_tab("usage", "Usage", "prompt-usage", 60)
        add_tab("branches", "Branches", "prompt-branches", 15)
        add_tab("labels", "Labels", "prompt-labels", 30)
        add_tab(
            "settings",
            "Settings",
            "prompt-settings",
            90,
            shown=lambda by, prompt: can(by, Permission.ASSET_EDIT, prompt),
        )
