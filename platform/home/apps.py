from django.apps import AppConfig


class HomeConfig(AppConfig):
    name = "home"

    def ready(self) -> None:
        from prompts.tabs import add_tab

        add_tab("graph", "Composition", "prompt-graph", 20)
