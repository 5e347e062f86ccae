"""Reading templates: their variables, whether they are cheap to render, and errors with line and column."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from prompts import mustache, references
from prompts.sandbox import ENVIRONMENT, MUSTACHE

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
    nodes.Include,
)
_CHEAP_FILTERS = {"upper", "lower", "trim", "capitalize", "default", "d", "length", "count"}
# Reading is work too: a megabyte of tags would keep a process busy for a quarter of a minute.
MAX_TAGS = mustache.MAX_TAGS
MAX_TOKENS = 40_000
# What every Python value has and no template is given: the way out of the sandbox, which it would refuse only when it is rendered.
_WAYS_OUT = frozenset(dir(object))
_ELSEWHERE = (nodes.Import, nodes.FromImport, nodes.Extends, nodes.Block)
# How much text times values is filled in without a process of its own: no loop at all, or a loop over a list.
_FLAT_WORK, _LOOP_WORK = 10**8, 10**6


class SyntaxProblem(Exception):
    """A template that can't be read. `line` and `column` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message, self.line, self.column = message, line, column


@dataclass(frozen=True)
class Included:
    """Another prompt that the text includes, and where it says so."""

    reference: references.Reference
    line: int
    column: int


@dataclass(frozen=True)
class Syntax:
    """What a template's text says of itself."""

    variables: frozenset[str]
    # Those used somewhere without `default(…)`, `is defined` or a section around.
    needed: frozenset[str]
    # It may be rendered in the web process while its length times that of the values is below this.
    cheap_work: int
    includes: tuple[Included, ...] = ()


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


def read(
    source: str, format: str = "jinja2", *, declared: Collection[str] = (), nested: Collection[str] = ()
) -> Syntax:
    """Variables, includes and cost of one template; SyntaxProblem says where it is wrong. `declared`: the inputs' names;
    `nested`: those that are lists or objects, so that names in a mustache section over one are its items' own."""
    if (tags := source.count("{{") + source.count("{%")) > MAX_TAGS:
        raise SyntaxProblem(f"at most {MAX_TAGS:,} tags, here {tags:,}: loop over a list instead", 1, 1)
    if format == MUSTACHE:
        return _read_mustache(source, declared, nested)
    _check_length(source)
    try:
        return _read(source)
    except RecursionError as error:
        raise SyntaxProblem("it is nested too deeply", 1, 1) from error
    except ValueError as error:  # Python's own limit
        raise SyntaxProblem("a number in it has too many digits", 1, 1) from error


def place_of(source: str, offset: int) -> tuple[int, int]:
    """Line and column of a character, from 1."""
    begin = source.rfind("\n", 0, offset) + 1
    return source.count("\n", 0, offset) + 1, offset - begin + 1


def _read_mustache(source: str, declared: Collection[str], nested: Collection[str]) -> Syntax:
    try:
        tree = mustache.parse(source)
    except mustache.MustacheProblem as problem:
        raise SyntaxProblem(problem.message, *place_of(source, problem.offset)) from problem
    found = _Names(source, declared, nested)
    found.walk(tree, 0, False)
    work = {0: _FLAT_WORK, 1: _LOOP_WORK}.get(found.depth, 0)
    return Syntax(frozenset(found.names), frozenset(found.needed), work, tuple(found.includes))


class _Names:
    """What a mustache tree names."""

    def __init__(self, source: str, declared: Collection[str], nested: Collection[str]) -> None:
        self.source, self.declared, self.nested = source, declared, nested
        self.names: set[str] = set()
        self.needed: set[str] = set()
        self.includes: list[Included] = []
        self.depth = 0

    def walk(self, tree: Sequence[mustache.Node], depth: int, in_items: bool) -> None:
        self.depth = max(self.depth, depth)
        for node in tree:
            name = node.value.partition(".")[0]
            if node.kind == "include":
                self.includes.append(_included(node.value, *place_of(self.source, node.offset)))
            elif node.kind != "text" and name and (not in_items or name in self.declared):
                self.names.add(name)
                if node.kind == "value" and not depth:
                    self.needed.add(name)
            if node.kind == "section":
                self.walk(node.children, depth + 1, in_items or name in self.nested or not name)
            elif node.kind == "inverted":
                self.walk(node.children, max(depth, 1), in_items)


def _included(written: str, line: int, column: int) -> Included:
    try:
        return Included(references.parse(written), line, column)
    except references.ReferenceProblem as problem:
        raise SyntaxProblem(str(problem), line, column) from problem


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
            f"'{word}' has no place in a prompt: take in another one with {{% include \"name@label\" %}}",
            *_word(source, part.lineno, word),
        )
    for node in tree.find_all(nodes.Getattr):
        if node.attr in _WAYS_OUT:
            raise SyntaxProblem(f"no value gives its '{node.attr}' away", *_word(source, node.lineno, node.attr))
    found = list(tree.find_all(nodes.Include))
    if len(found) > mustache.MAX_INCLUDES:
        raise SyntaxProblem(f"at most {mustache.MAX_INCLUDES} includes, here {len(found):,}", found[-1].lineno, 1)
    includes = tuple(_jinja_include(source, node) for node in found)
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
    work = _FLAT_WORK if _is_cheap(tree) else 0
    return Syntax(variables, frozenset(_plainly_used(tree)) & variables, work, includes)


def _jinja_include(source: str, node: nodes.Include) -> Included:
    name = node.template
    if not isinstance(name, nodes.Const) or not isinstance(name.value, str):
        place = _word(source, node.lineno, "include")
        raise SyntaxProblem('an include names one prompt, in quotes: {% include "name@label" %}', *place)
    if node.ignore_missing or not node.with_context:
        word = "ignore" if node.ignore_missing else "without"
        place = _word(source, node.lineno, word)
        raise SyntaxProblem("an include has nothing behind the prompt's name", *place)
    return _included(name.value, *_word(source, node.lineno, name.value))


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
