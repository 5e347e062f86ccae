from django.apps import AppConfig


class HomeConfig(AppConfig):
    name = "home"

    def ready(self) -> None:
        from home.weights import weigh
        from prompts.extras import weigh_versions_with
        from prompts.tabs import add_tab

        weigh_versions_with(weigh)
        add_tab("graph", "Composition", "prompt-graph", 20)
