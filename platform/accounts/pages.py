"""What page views share: sign-in, and an error of an action shown beside the form instead of as a page of its own."""

from django import forms

from accounts.errors import Problem


def add_problem(form: forms.Form, problem: Problem) -> None:
    """Show an action's error at the fields it names, else above the form."""
    for field, texts in problem.errors.items():
        for text in texts:
            form.add_error(field if field in form.fields else None, text)
    if not problem.errors:
        form.add_error(None, problem.detail)
