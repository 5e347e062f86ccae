from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    name = "playground"

    def ready(self) -> None:
        from accounts.access import ANY_STAGE, Actor, can
        from accounts.roles import Permission
        from prompts.models import Prompt
        from prompts.tabs import add_tab

        def may_play(by: Actor, prompt: Prompt) -> bool:
            return can(by, Permission.MODEL_INVOKE, prompt.team, stage=ANY_STAGE)

        add_tab("playground", "Playground", "prompt-playground", 50, shown=may_play)
