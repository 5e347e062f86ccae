from prompts import differences
from prompts.reading import said_of


def message(role, content):
    return {"role": role, "content": content}


def test_texts_differ_by_words():
    pieces = differences.words("Turn the date into ISO.\n", "Turn this date into ISO 8601.\n")
    assert [(p.op, p.text) for p in pieces] == [
        ("equal", "Turn "),
        ("delete", "the"),
        ("insert", "this"),
        ("equal", " date into ISO"),
        ("insert", " 8601"),
        ("equal", ".\n"),
    ]
    assert "".join(p.text for p in pieces if p.op != "insert") == "Turn the date into ISO.\n"


def test_long_texts_differ_by_lines_and_longest_as_a_whole():
    lines = [f"line number {i}\n" for i in range(2_000)]
    changed = [*lines]
    changed[1_000] = "another line\n"
    pieces = differences.words("".join(lines), "".join(changed))
    assert [p.text for p in pieces if p.op != "equal"] == ["line number 1000\n", "another line\n"]
    many = "x\n" * 10_000
    assert [p.op for p in differences.words(many, many + "y")] == ["delete", "insert"]


def test_messages_are_matched_up():
    before = [message("system", "Be brief."), message("user", "{{ a }}"), message("assistant", "ok")]
    after = [
        message("system", "Be very brief."),
        message("user", "{{ a }}"),
        message("user", "more"),
        message("assistant", "ok"),
    ]
    found = differences.messages(before, after)
    assert [(c.op, c.number_before, c.number_after) for c in found] == [
        ("changed", 1, 1),
        ("same", 2, 2),
        ("added", None, 3),
        ("same", 3, 4),
    ]
    back = differences.messages(after, before)
    assert [c.op for c in back] == ["changed", "same", "removed", "same"]


def test_a_message_with_another_role_is_another_message():
    found = differences.messages([message("user", "a")], [message("assistant", "a")])
    assert sorted(c.op for c in found) == ["added", "removed"]


def test_parameters_differ_by_key():
    found = differences.keys({"temperature": 0, "stop": ["a"], "n": 1}, {"temperature": 0.5, "n": 1, "seed": 3})
    assert [(c.key, c.op, c.before, c.after) for c in found] == [
        ("seed", "added", None, 3),
        ("stop", "removed", ["a"], None),
        ("temperature", "changed", 0, 0.5),
    ]


PARTS = {
    "role": "user",
    "content": [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA"}},
    ],
}


def test_a_message_of_parts_is_read_as_text_images_and_json():
    said = [(one.kind, one.text, one.href) for one in said_of(PARTS)]
    assert said[:2] == [
        ("text", "What is this?", ""),
        ("image", "https://example.com/a.png", "https://example.com/a.png"),
    ]
    assert '"detail": "low"' in said[2][1] and '"input_audio"' in said[3][1]
    hidden = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "javascript:alert(1)"}}]}
    assert [one.href for one in said_of(hidden)] == [""]
    hidden["content"][0]["image_url"]["url"] = "https://example.com/{{ order }}.png"
    assert [one.href for one in said_of(hidden)] == [""]  # nothing is there before the variables are filled in
    inline = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
    assert next(said_of(inline)).text.startswith("image/png, 26 characters, sha256 ")
    calls = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    assert [one.kind for one in said_of(calls)] == ["json"]


def test_what_reads_alike_and_is_another_message_differs():
    plain = {"role": "user", "content": "Go"}
    parts = {"role": "user", "content": [{"type": "text", "text": "Go"}]}
    (change,) = differences.messages([plain], [parts])
    assert change.op == "changed" and any(piece.op != "equal" for piece in change.pieces)
    assert differences.messages([parts], [parts])[0].op == "same"
