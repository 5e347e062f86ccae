"""What people type: prompts, versions, labels and variables."""

from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.http import QueryDict

from accounts.bodies import read_written
from accounts.errors import Problem
from accounts.models import NAME_HELP
from accounts.numbers import whole
from prompts.checks import MAX_MESSAGES, ROLES
from prompts.inputs import Input, as_text, from_text
from prompts.models import Prompt, PromptVersion
from prompts.names import MAX_NAME as MAX_PROMPT_NAME
from prompts.rendering import inputs_of


class PromptForm(forms.Form):
    name = forms.CharField(max_length=96, help_text=NAME_HELP, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))


class DescriptionForm(forms.Form):
    """What a prompt is called and for."""

    name = forms.CharField(
        max_length=MAX_PROMPT_NAME,
        help_text="Folders stand before the name: support/refunds/first reply. The old address answers nothing then.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))


class TagForm(forms.Form):
    key = forms.CharField(max_length=250, help_text="A word such as draft, or a key such as owner.")
    value = forms.CharField(required=False, max_length=2000)


class VersionForm(forms.Form):
    """What stands beside the template; the template itself is a Draft."""

    parameters = forms.CharField(
        required=False,
        label="Model parameters",
        help_text='A JSON object that callers get with the prompt, for example {"temperature": 0}.',
        widget=forms.Textarea(attrs={"rows": 4, "class": "font-monospace", "spellcheck": "false"}),
    )
    message = forms.CharField(
        required=False, max_length=2000, label="What changed", help_text="For those who look at the history later."
    )

    def clean_parameters(self) -> dict[str, Any]:
        text = self.cleaned_data["parameters"].strip()
        if not text:
            return {}
        value = read_written(text)
        if not isinstance(value, dict):
            raise forms.ValidationError('Write a JSON object, such as {"temperature": 0}.')
        return value


class LabelForm(forms.Form):
    label = forms.CharField(
        max_length=96,
        help_text="For example staging or production.",
        widget=forms.TextInput(attrs={"list": "label-names", "autocomplete": "off"}),
    )
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)
    reason = forms.CharField(required=False, max_length=2000)


class BranchForm(forms.Form):
    name = forms.CharField(max_length=96, help_text=NAME_HELP, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    start = forms.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, label="From version", help_text="Empty: the newest on main."
    )


@dataclass
class Message:
    """A row of the chat editor."""

    role: str
    content: str
    errors: list[str] = field(default_factory=list)


@dataclass
class Draft:
    """A template while it is being edited: a text, or rows of messages that can be added and taken away."""

    type: str
    text: str = ""
    rows: list[Message] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, kind: str) -> "Draft":
        return cls(kind, rows=[Message("system", ""), Message("user", "")])

    @classmethod
    def of(cls, version: PromptVersion) -> "Draft":
        if version.type == PromptVersion.Type.TEXT:
            return cls(version.type, text=str(version.template))
        return cls(version.type, rows=[Message(m["role"], m["content"]) for m in version.messages])

    @classmethod
    def posted(cls, data: QueryDict, kind: str) -> "Draft":
        """What a browser sent; it sends line ends as CRLF, which no prompt means."""
        draft = cls(kind, text=data.get("template", "").replace("\r\n", "\n"))
        contents, roles = data.getlist("content")[:MAX_MESSAGES], data.getlist("role")
        for index, content in enumerate(contents):
            role = roles[index] if index < len(roles) else ROLES[0]
            draft.rows.append(Message(role, content.replace("\r\n", "\n")))
        return draft

    def edit(self, operation: str) -> None:
        """'add', or 'remove-N', 'up-N' of the row N (from 0)."""
        verb, _, number = operation.partition("-")
        if verb == "add":
            following = "assistant" if self.rows and self.rows[-1].role == "user" else "user"
            self.rows.append(Message(following, ""))
        index = int(number) if number.isdecimal() and len(number) < 6 else len(self.rows)
        if index >= len(self.rows):
            return
        if verb == "remove":
            del self.rows[index]
        elif verb == "up" and index:
            self.rows.insert(index - 1, self.rows.pop(index))

    @property
    def template(self) -> str | list[dict[str, str]]:
        if self.type == PromptVersion.Type.TEXT:
            return self.text
        return [{"role": row.role, "content": row.content} for row in self.rows]

    def show(self, problem: Problem) -> None:
        """Put a template's errors where they belong: at the text or at its message."""
        for name, texts in problem.errors.items():
            number = name.removeprefix("template[").partition("]")[0]
            row = whole(number, below=len(self.rows)) if name.startswith("template[") else None
            if row is not None:
                self.rows[row].errors += texts
            else:
                self.errors += texts


@dataclass
class Value:
    """A variable's field in the box that renders. Left empty it is not given where it has a default or may be left out."""

    input: Input
    text: str = ""
    errors: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.input.name

    @property
    def hint(self) -> str:
        """What the empty field stands for, or how its value is written."""
        if self.input.has_default:
            return f"default: {as_text(self.input.declared['default'])}"
        return '[{"role": "user", "content": "Hello"}]' if self.input.type == "messages" else ""

    @property
    def value(self) -> Any:
        """What was typed, as the input's type; for one that nobody declared text, or a JSON list or object where one is written.
        Nothing typed for messages is none of them."""
        if self.input.type == "messages" and not self.text.strip():
            return []
        return from_text(self.input, self.text)

    @property
    def given(self) -> bool:
        return bool(self.text) or (self.input.implicit or self.input.required)


def values_of(version: PromptVersion) -> list[Value]:
    """A field for all that a version takes, with its example where there is no default."""
    return [
        Value(row, as_text(row.declared["example"]) if "example" in row.declared and not row.has_default else "")
        for row in inputs_of(version)
    ]


def values_posted(version: PromptVersion, data: QueryDict) -> list[Value]:
    return [Value(row, data.get(f"v.{row.name}", "").replace("\r\n", "\n")) for row in inputs_of(version)]


def describe(prompt: Prompt) -> DescriptionForm:
    return DescriptionForm(initial={"name": prompt.name, "description": prompt.description})
