"""The demo's language model: the files are what transformers expects, and both versions are as good as they claim."""

import os
import re

import pytest
import yaml

from examples.demo import date_normaliser, dates


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(reports, folder of version 1, folder of version 2), trained for real: about a minute."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    folder = tmp_path_factory.mktemp("date-normaliser")
    try:
        reports = list(date_normaliser.train(folder / "1", folder / "2"))
    finally:
        torch.set_num_threads(before)
    return reports, folder / "1", folder / "2"


def answers(folder, texts):
    """Greedy answers through the chat template, as an engine would ask for them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    chats = [[{"role": "user", "content": text}] for text in texts]
    inputs = tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, return_tensors="pt", return_dict=True, padding=True
    )
    outputs = model.generate(**inputs)[:, inputs["input_ids"].shape[1] :]
    return tokenizer.batch_decode(outputs, skip_special_tokens=True)


def share_right(folder):
    pairs = dates.held_back()
    found = answers(folder, [pair.text for pair in pairs])
    return sum(answer == pair.iso for answer, pair in zip(found, pairs, strict=True)) / len(pairs)


@pytest.mark.slow
def test_second_version_gets_nearly_all_held_back_pairs_right(trained):
    _, _, final = trained
    assert share_right(final) > 0.95


@pytest.mark.slow
def test_first_version_is_visibly_worse_but_learned_something(trained):
    _, early, _ = trained
    assert 0.25 <= share_right(early) <= 0.8


@pytest.mark.slow
def test_reports_rise_and_name_each_folder_once(trained):
    reports, early, final = trained
    assert [report.early for report in reports if report.early] == [early]
    assert [report.final for report in reports if report.final] == [final]
    assert reports[-1].final == final
    assert [report.step for report in reports] == sorted(report.step for report in reports)
    assert reports[-1].step <= date_normaliser.TOTAL_STEPS
    assert reports[-1].accuracy > reports[0].accuracy


@pytest.mark.slow
def test_files_are_what_the_registry_and_transformers_expect(trained):
    from safetensors import safe_open

    for folder in trained[1:]:
        names = {path.name for path in folder.iterdir()}
        assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "README.md"} <= names
        assert (folder / "chat_template.jinja").exists()
        with safe_open(folder / "model.safetensors", "pt") as tensors:
            size = sum(tensors.get_tensor(name).numel() for name in tensors.keys())  # noqa: SIM118
        assert 1_000_000 <= size <= 3_000_000


@pytest.mark.slow
def test_card_states_use_limits_data_and_licence(trained):
    for folder in trained[1:]:
        text = (folder / "README.md").read_text()
        matter = yaml.safe_load(text.split("---")[1])
        assert (matter["license"], matter["pipeline_tag"], matter["language"]) == (
            "apache-2.0",
            "text-generation",
            "en",
        )
        for heading in ("Intended use", "Limits", "Training data", "Evaluation", "Licence"):
            assert re.search(rf"^## {heading}$", text, re.MULTILINE)


def test_template_puts_the_last_question_only():
    tokenizer = date_normaliser.build_tokenizer()
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1 May 1999"},
        {"role": "assistant", "content": "1999-05-01"},
        {"role": "user", "content": " 3 March 2021 "},
    ]
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert text == "<s><|user|>3 March 2021<|assistant|>"
    assert tokenizer.apply_chat_template(chat[:3], tokenize=False) == "<s><|user|>1 May 1999<|assistant|>1999-05-01</s>"


def test_tokenizer_reads_numbers_two_figures_at_a_time_and_survives_any_text():
    tokenizer = date_normaliser.build_tokenizer()
    assert tokenizer.tokenize("2021-03-03") == ["20", "21", "-", "03", "-", "03"]
    for text in ("2021-03-03", "naïve ✓ 日本", "\n\t", ""):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
