from django.apps import AppConfig


class PromptTestsConfig(AppConfig):
    name = "prompt_tests"

    def ready(self) -> None:
        from prompt_tests.actions import run_on_save
        from prompt_tests.reads import chips
        from prompts.extras import add_version_extra, when_version_is_made
        from prompts.tabs import add_tab

        when_version_is_made(run_on_save)
        add_version_extra(chips)
        add_tab("tests", "Tests", "prompt-tests", 40)
