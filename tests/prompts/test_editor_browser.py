"""The editor in a real browser: problems at their place, completion, drafts that survive, versions."""

import pytest
from playwright.sync_api import expect

from accounts.access import Actor
from prompts import actions
from prompts.models import PromptDraft

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
URL = "/prompts/acme/greeting/versions/new"


@pytest.fixture(scope="module", autouse=True)
def _patient():
    expect.set_options(timeout=30_000)
    yield
    expect.set_options(timeout=5_000)


@pytest.fixture
def greeting(cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="greeting", by=by)
    actions.create_version(prompt=prompt, type="text", template="Hello {{ name }}", by=by)
    return prompt


@pytest.fixture
def chat(cast):
    by = Actor(cast.alice)
    prompt = actions.create_prompt(team=cast.team, name="chat", by=by)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ question }}"}]
    actions.create_version(prompt=prompt, type="chat", template=messages, by=by)
    return prompt


@pytest.fixture
def context(browse, cast):
    return browse(cast.alice).context


@pytest.fixture
def opened(context):
    """opened(address) -> the editor in a tab of its own."""

    def make(address=URL):
        page = context.new_page()
        page.goto(address)
        expect(page.locator(".editor.is-live")).to_be_visible()
        return page

    return make


def write(page, text, field="template"):
    page.locator(f"[data-field={field}] .cm-content").first.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def saved(page):
    expect(page.locator("#editor-state")).to_contain_text("Draft saved")


def test_a_problem_is_said_where_it_is_and_the_text_is_rendered_beside_it(opened, greeting):
    page = opened()
    expect(page.locator("#editor-preview")).to_contain_text("Hello «name»")
    page.locator("[data-value=name]").fill("Ann")
    expect(page.locator("#editor-preview")).to_contain_text("Hello Ann")
    write(page, "Hello 🌍\n🌍 {{ name")
    problem = page.locator(".editor-problem").first
    expect(problem).to_contain_text("2:")
    expect(page.locator(".cm-lint-marker-error").first).to_be_visible()
    expect(page.locator("#editor-preview")).to_contain_text("Hello Ann")  # what was there stays
    problem.click()
    assert page.evaluate("document.activeElement.classList.contains('cm-content')")
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" }}")
    expect(page.locator("#editor-preview")).to_contain_text("🌍 Ann")
    expect(page.locator("#editor-problems")).to_be_hidden()


def test_variables_filters_and_other_prompts_are_completed(opened, greeting):
    page = opened()
    write(page, "{{ na")
    page.keyboard.press("Control+Space")
    expect(page.locator(".cm-tooltip-autocomplete")).to_be_hidden()  # `name` stood in the text that is gone
    write(page, "{{ name }} {{ ")
    page.keyboard.type("na")
    expect(page.locator(".cm-tooltip-autocomplete li").first).to_contain_text("name")
    page.wait_for_timeout(150)  # CodeMirror takes no Enter in the first moment
    page.keyboard.press("Enter")
    page.keyboard.type(" | upp")
    expect(page.locator(".cm-tooltip-autocomplete li").first).to_contain_text("upper")
    page.wait_for_timeout(150)
    page.keyboard.press("Enter")
    assert page.locator("[data-field=template] .cm-content").inner_text().startswith("{{ name }} {{ name | upper")
    write(page, '{% include "')
    page.keyboard.type("gree")
    expect(page.locator(".cm-tooltip-autocomplete")).to_contain_text("greeting@latest")


def test_a_draft_survives_a_reload_and_a_lost_connection(opened, context, greeting):
    page = opened()
    write(page, "Kept {{ na")
    saved(page)
    assert PromptDraft.objects.get().content["template"] == "Kept {{ na"
    page.reload()
    expect(page.locator("[data-field=template] .cm-content")).to_have_text("Kept {{ na")
    expect(page.locator(".editor-draft")).to_contain_text("Draft from")
    context.set_offline(True)
    write(page, "Written without a connection")
    expect(page.locator("#editor-state")).to_contain_text("kept in this browser")
    assert PromptDraft.objects.get().content["template"] == "Kept {{ na"
    page.close()
    context.set_offline(False)
    page = opened()
    expect(page.locator("[data-field=template] .cm-content")).to_have_text("Written without a connection")
    expect(page.locator("#editor-notice")).to_contain_text("kept in this browser")
    saved(page)
    for _ in range(
        60
    ):  # taken out of the browser once the server has it (the page's policy lets no wait_for_function run)
        if not page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('countersign-draft'))"):
            break
        page.wait_for_timeout(500)
    else:
        pytest.fail("The text stayed in the browser.")
    assert PromptDraft.objects.get().content["template"] == "Written without a connection"


def test_two_tabs_let_one_choose(opened, greeting):
    first, second = opened(), opened()
    write(first, "From the first tab")
    saved(first)
    write(second, "From the second tab")
    expect(second.locator("#editor-notice")).to_contain_text("in another tab")
    assert PromptDraft.objects.get().content["template"] == "From the first tab"
    second.get_by_role("button", name="Take the other").click()
    expect(second.locator("[data-field=template] .cm-content")).to_have_text("From the first tab")
    write(second, "Both agree")
    saved(second)
    write(first, "The first insists")
    expect(first.locator("#editor-notice")).to_contain_text("in another tab")
    first.get_by_role("button", name="Keep mine").click()
    saved(first)
    assert PromptDraft.objects.get().content["template"] == "The first insists"


def test_a_version_is_saved_by_keys_with_its_difference_shown_first(opened, greeting):
    page = opened()
    write(page, "Good day {{ name }}")
    saved(page)
    page.keyboard.press("Control+Shift+S")
    expect(page.locator("#save-difference ins")).to_contain_text("Good day")
    page.locator("#message").fill("More formal")
    page.keyboard.press("Enter")
    page.wait_for_url("**/versions/2")
    version = greeting.versions.get(number=2)
    assert (version.template, version.message) == ("Good day {{ name }}", "More formal")
    assert not PromptDraft.objects.exists()
    page.goto(URL)
    assert not page.evaluate("Object.keys(localStorage).some((key) => key.startsWith('countersign-draft'))")


def test_messages_move_come_and_go_from_the_keyboard(opened, chat):
    page = opened("/prompts/acme/chat/versions/new")
    page.locator("[data-row] .cm-content").nth(1).click()
    page.keyboard.press("Alt+Shift+ArrowUp")
    expect(page.locator("[data-row] .cm-content").first).to_contain_text("question")
    page.keyboard.press("Control+Shift+Enter")
    page.keyboard.insert_text("An answer")
    page.get_by_role("button", name="Add placeholder").click()
    expect(page.locator("[data-row]")).to_have_count(4)
    page.get_by_role("button", name="Remove message 3").click()
    saved(page)
    page.wait_for_timeout(1_200)
    assert PromptDraft.objects.get().content["template"] == [
        {"role": "user", "content": "{{ question }}"},
        {"role": "assistant", "content": "An answer"},
        {"type": "placeholder", "name": "history"},
    ]


def test_inputs_are_declared_in_a_table(opened, greeting):
    page = opened()
    page.locator("#part-inputs > summary").click()
    page.get_by_role("button", name="+ name").click()
    page.get_by_label("Example of name").fill("Ann")
    page.get_by_label("Type of name").select_option("string")
    saved(page)
    expect(page.locator("#editor-preview")).to_contain_text("Hello Ann")
    assert '"example": "Ann"' in PromptDraft.objects.get().content["inputs"]


def test_a_megabyte_stays_quick(opened, cast, greeting):
    template = "word 🌍 שלום \n" * 48_000
    actions.create_version(prompt=greeting, type="text", template=template, by=Actor(cast.alice))
    page = opened()
    took = page.evaluate(
        """async () => {
          const content = document.querySelector("[data-field=template] .cm-content");
          content.focus();
          const begun = performance.now();
          for (let turn = 0; turn < 20; turn += 1) { document.execCommand("insertText", false, "x"); await new Promise(requestAnimationFrame); }
          return (performance.now() - begun) / 20;
        }"""
    )
    assert took < 250  # of a key on a machine that does other things too; 20 ms where it is idle
    expect(page.locator("#editor-problems")).to_contain_text("Not checked while you write")
