from django.apps import AppConfig


class PromptTestsConfig(AppConfig):
    name = "prompt_tests"

    def ready(self) -> None:
        from prompt_tests.actions import run_on_save
        from prompts.extras import when_version_is_made

        when_version_is_made(run_on_save)
