"""Who may do what, route by route. A route or method that is missing here fails `test_matrix`, which says what to add.

Placeholders in bodies and queries are filled from the world's `values` (tests/matrix/world.py)."""

from tests.matrix.rules import Table
from tests.matrix.tables.formats import FORMATS
from tests.matrix.tables.governance import GOVERNANCE, REQUESTS
from tests.matrix.tables.huggingface import HUGGINGFACE
from tests.matrix.tables.langfuse import LANGFUSE
from tests.matrix.tables.mlflow import MLFLOW
from tests.matrix.tables.mlflow_tracking import MLFLOW_TRACKING
from tests.matrix.tables.people import ACCOUNTS, NOTIFICATIONS
from tests.matrix.tables.playground import PLAYGROUND
from tests.matrix.tables.prompt_delivery import TABLE as PROMPT_DELIVERY
from tests.matrix.tables.prompt_editor import PROMPT_EDITOR
from tests.matrix.tables.prompt_files import PROMPT_FILES
from tests.matrix.tables.prompt_history import PROMPT_HISTORY
from tests.matrix.tables.prompt_templates import PROMPT_TEMPLATES
from tests.matrix.tables.prompt_tests import PROMPT_TESTS
from tests.matrix.tables.registry import PROMPTS, REGISTRY
from tests.matrix.tables.serving import EVALUATIONS, SERVING
from tests.matrix.tables.site import ALLAUTH, SITE
from tests.matrix.tables.storage import STORAGE
from tests.matrix.tables.supply import SUPPLY
from tests.matrix.tables.tracking import TRACKING

TABLE: Table = {
    **SITE,
    **ALLAUTH,
    **REGISTRY,
    **PROMPTS,
    **PROMPT_DELIVERY,
    **PROMPT_EDITOR,
    **PROMPT_FILES,
    **PROMPT_TEMPLATES,
    **PROMPT_HISTORY,
    **GOVERNANCE,
    **REQUESTS,
    **ACCOUNTS,
    **NOTIFICATIONS,
    **SERVING,
    **EVALUATIONS,
    **TRACKING,
    **PLAYGROUND,
    **HUGGINGFACE,
    **LANGFUSE,
    **MLFLOW,
    **MLFLOW_TRACKING,
    **STORAGE,
    **FORMATS,
    **SUPPLY,
    **PROMPT_TESTS,
}
