"""Reading templates: their variables, whether they are cheap to render, and errors with line and column."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from prompts.sandbox import ENVIRONMENT

# What takes a template's time from its length and its variables alone: no loop, no call, no arithmetic.
_CHEAP = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.Getattr,
    nodes.Getitem,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Test,
    nodes.Filter,
)
_CHEAP_FILTERS = {"upper", "lower", "trim", "capitalize", "default", "d", "length", "count"}
# Reading is work too: a megabyte of tags would keep a process busy for a quarter of a minute.
MAX_TAGS = 5_000
MAX_TOKENS = 40_000
_ELSEWHERE = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)


class SyntaxProblem(Exception):
    """A template that can't be read. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message, self.line, self.column = message, line, column


@dataclass(frozen=True)
class Syntax:
    """What a template's text says of itself."""

    variables: frozenset[str]
    # Those used somewhere without `default(…)` or `is defined`.
    needed: frozenset[str]
    cheap: bool


class _LocatingParser(Parser):
    """Jinja's parser, which knows only lines, made to remember where in the source each token began."""

    def __init__(self, source: str) -> None:
        super().__init__(ENVIRONMENT, "")
        self.source = "\n".join(re.split(r"\r\n|\r|\n", source))
        self.reached = 0
        self.began: dict[int, int] = {}
        self.kept: list[Token] = []  # keeps tokens alive, so that their ids stay theirs
        self.stream = TokenStream(self._tokens(), None, None)

    def _raw(self) -> Iterator[tuple[int, str, str]]:
        end = 0
        for line, kind, value in ENVIRONMENT.lexer.tokeniter(self.source, None):
            # What `-%}` strips is missing from the values: look ahead for each.
            found = self.source.find(value, end)
            self.token_start = found if found >= 0 else end
            end = self.token_start + len(value)
            self.reached = end
            yield line, kind, value

    def _tokens(self) -> Iterator[Token]:
        for token in ENVIRONMENT.lexer.wrap(self._raw()):
            self.began[id(token)] = self.token_start
            self.kept.append(token)
            yield token

    def place(self, error: TemplateSyntaxError) -> tuple[int, int]:
        """Line and column of the error."""
        message = error.message or ""
        if in_lexer := re.search(r" at (\d+)$", message):
            offset = int(in_lexer[1])
        elif message.lower().startswith("unexpected end") or id(self.stream.current) not in self.began:
            offset = self.reached
        else:
            offset = self.began[id(self.stream.current)]
        before = self.source[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def read(source: str) -> Syntax:
    """Variables and cost of one template; SyntaxProblem says where it is wrong."""
    if (tags := source.count("{{") + source.count("{%")) > MAX_TAGS:
        raise SyntaxProblem(f"at most {MAX_TAGS:,} tags, here {tags:,}: loop over a list instead", 1, 1)
    _check_length(source)
    try:
        return _read(source)
    except RecursionError as error:
        raise SyntaxProblem("it is nested too deeply", 1, 1) from error


def _check_length(source: str) -> None:
    tokens = 0
    try:
        for line, kind, _ in ENVIRONMENT.lexer.tokeniter(source, None):
            tokens += kind not in ("data", "whitespace")
            if tokens > MAX_TOKENS:
                raise SyntaxProblem(f"at most {MAX_TOKENS:,} names and signs in tags: compute elsewhere", line, 1)
    except TemplateSyntaxError:
        return  # the parser says it with line and column


def _read(source: str) -> Syntax:
    try:
        tree = ENVIRONMENT.parse(source)
    except TemplateSyntaxError as error:
        raise _located(source, error) from error
    except RecursionError as error:
        raise SyntaxProblem("it is nested too deeply", 1, 1) from error
    for part in tree.find_all(_ELSEWHERE):
        word = {"FromImport": "from"}.get(type(part).__name__, type(part).__name__.lower())
        raise SyntaxProblem(
            f"'{word}' needs other templates, and a prompt is one text: put it here.", *_word(source, part.lineno, word)
        )
    if (modifier := tree.find(nodes.EvalContextModifier)) is not None:
        place = _word(source, modifier.lineno, "autoescape")
        raise SyntaxProblem("'autoescape' has no place here: prompts are never escaped", *place)
    try:
        ENVIRONMENT.compile(tree)
    except TemplateSyntaxError as error:  # unknown filters and tests
        quoted = re.search(r"'([^']+)'", error.message or "")
        place = _word(source, error.lineno, quoted[1] if quoted else "")
        raise SyntaxProblem(error.message or "it can't be compiled", *place) from error
    except (RecursionError, SyntaxError) as error:  # Python's own: "too many statically nested blocks"
        raise SyntaxProblem("it is nested too deeply", 1, 1) from error
    variables = _variables(tree).difference(ENVIRONMENT.globals)
    return Syntax(variables, frozenset(_plainly_used(tree)) & variables, _is_cheap(tree))


def _variables(tree: nodes.Template) -> frozenset[str]:
    """meta.find_undeclared_variables, without its optimizer: that would work out constants of any size, here and now."""
    tracker = meta.TrackingCodeGenerator(ENVIRONMENT)
    tracker.optimizer = None
    tracker.visit(tree)
    return frozenset(tracker.undeclared_identifiers)


def _located(source: str, error: TemplateSyntaxError) -> SyntaxProblem:
    try:
        parser = _LocatingParser(source)
    except TemplateSyntaxError as first:  # the lexer failed before the first token
        offset = int(found[1]) if (found := re.search(r" at (\d+)$", first.message or "")) else 0
        return SyntaxProblem(_said(first), first.lineno, offset + 1)
    try:
        parser.parse()
    except TemplateSyntaxError as again:
        return SyntaxProblem(_said(again), *parser.place(again))
    return SyntaxProblem(_said(error), error.lineno, 1)


def _said(error: TemplateSyntaxError) -> str:
    return re.sub(r" at \d+$", "", error.message or "it can't be read")


def _word(source: str, line: int, word: str) -> tuple[int, int]:
    """Where a word stands on a line, or after it (Jinja names the line a statement begins on)."""
    lines = re.split(r"\r\n|\r|\n", source)
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
    for number in range(line, len(lines) + 1):
        if word and (found := pattern.search(lines[number - 1])):
            return number, found.start() + 1
    return line, 1


def _plainly_used(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Name) and node.ctx == "load":
        yield node.name
    optional = (isinstance(node, nodes.Filter) and node.name in ("default", "d")) or (
        isinstance(node, nodes.Test) and node.name in ("defined", "undefined")
    )
    for field, value in node.iter_fields():
        if optional and field == "node" and isinstance(value, nodes.Name):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, nodes.Node):
                yield from _plainly_used(child)


def _is_cheap(node: nodes.Node) -> bool:
    if not isinstance(node, _CHEAP):
        return False
    if isinstance(node, nodes.Filter) and node.name not in _CHEAP_FILTERS:
        return False
    return all(_is_cheap(child) for child in node.iter_child_nodes())
