"""Reading what a pickle would build, without building it: an interpreter of its opcodes that calls nothing and imports nothing.

What the pickle calls is looked up in a table of our own (`rebuild`); everything else becomes an Opaque with the name it would have had.
"""

from __future__ import annotations

import io
import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from registry.inspection.source import NotRead

MAX_PICKLE = 64 << 20
# A state dict of 50,000 tensors takes about two million.
MAX_OPCODES = 3_000_000
MAX_STACK = 200_000
_MARK = object()


@dataclass(frozen=True)
class Symbol:
    """Something that the pickle would import."""

    name: str


@dataclass
class Opaque:
    """Something that the pickle would make by a call of which nothing is known; `state` is what it would be filled with."""

    name: str
    state: Any = None


@dataclass(frozen=True)
class Persistent:
    """Something that lies outside the pickle."""

    key: Any


@dataclass
class Mapping:
    """A dict as pairs: keys may be what Python could not hash."""

    items: list[tuple[Any, Any]] = field(default_factory=list)


class Broken(Exception):
    """The bytes are no whole pickle. `offset`: from the pickle's beginning."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.offset = offset


Rebuild = Callable[[str, tuple[Any, ...]], Any]


def read(stream: io.BytesIO, rebuild: Rebuild) -> Any:
    """What the next pickle of the stream would be. `rebuild(name, arguments)` gives the value of a call, or None for Opaque.

    Raises Broken where it is no pickle, NotRead where it is too much to look into.
    """
    begin = stream.tell()
    machine = _Machine(rebuild)
    try:
        for count, (opcode, argument, position) in enumerate(pickletools.genops(stream)):
            machine.offset = (position or 0) - begin
            if count >= MAX_OPCODES or len(machine.stack) > MAX_STACK:
                raise NotRead("its pickle is too large to be looked into")
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error, UnicodeError) as error:
        raise Broken(str(error)[:200], machine.offset) from None
    raise Broken("it ends without a STOP", machine.offset)


class _Machine:
    """The stack and memo of one pickle."""

    def __init__(self, rebuild: Rebuild) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.offset = 0
        self._rebuild = rebuild

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value should be")
        return value

    def top(self) -> Any:
        if self.stack[-1] is _MARK:
            raise ValueError("a mark where a value should be")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("there is no mark")
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def step(self, name: str, argument: Any) -> None:
        if name in _ARGUMENTS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[int(argument)] = self.top()
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.top()
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self.stack.append(self.memo[int(argument)])
        elif name in _STEPS:
            _STEPS[name](self, argument)
        elif name not in ("PROTO", "FRAME", "READONLY_BUFFER"):
            raise ValueError(f"the opcode {name} is not known")

    def call(self, function: Any, arguments: Any) -> Any:
        if isinstance(function, Persistent) and isinstance(function.key, tuple) and len(function.key) > 1:
            function = function.key[1]  # of old: ('module', the class, its source)
        name = function.name if isinstance(function, Symbol) else "something"
        given = arguments if isinstance(arguments, tuple) else ()
        found = self._rebuild(name, given)
        return Opaque(name, given) if found is None else found


def _global(machine: _Machine, argument: Any) -> None:
    machine.stack.append(Symbol(str(argument).replace(" ", ".", 1)[:300]))


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise ValueError("what it would import has no name")
    machine.stack.append(Symbol(f"{module}.{name}"[:300]))


def _inst(machine: _Machine, argument: Any) -> None:
    arguments = tuple(machine.since_mark())
    machine.stack.append(machine.call(Symbol(str(argument).replace(" ", ".", 1)[:300]), arguments))


def _obj(machine: _Machine, _: Any) -> None:
    values = machine.since_mark()
    machine.stack.append(machine.call(values[0], tuple(values[1:])))


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, function = machine.pop(), machine.pop()
    machine.stack.append(machine.call(function, arguments))


def _new_with_keywords(machine: _Machine, _: Any) -> None:
    machine.pop()
    _reduce(machine, None)


def _build(machine: _Machine, _: Any) -> None:
    state, value = machine.pop(), machine.top()
    if isinstance(value, Opaque):
        value.state = state


def _set_items(machine: _Machine, values: list[Any]) -> None:
    if len(values) % 2:
        raise ValueError("a key without a value")
    target = machine.top()
    if isinstance(target, Mapping):
        target.items.extend(zip(values[::2], values[1::2], strict=True))


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, [key, value])


def _append_all(machine: _Machine, values: list[Any]) -> None:
    target = machine.top()
    if isinstance(target, list):
        target.extend(values)


def _dict(machine: _Machine, _: Any) -> None:
    values = machine.since_mark()
    machine.stack.append(Mapping())
    _set_items(machine, values)


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    def make(machine: _Machine, _: Any) -> None:
        values = [machine.pop() for _ in range(count)]
        machine.stack.append(tuple(reversed(values)))

    return make


def _pop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _pop_mark(machine: _Machine, _: Any) -> None:
    machine.since_mark()


_ARGUMENTS = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES",
     "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "FLOAT", "BINFLOAT"}
)  # fmt: skip
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": (), "MARK": _MARK}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "EMPTY_DICT": lambda machine, _: machine.stack.append(Mapping()),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_SET": lambda machine, _: machine.stack.append([]),
    "DICT": _dict,
    "LIST": lambda machine, _: machine.stack.append(machine.since_mark()),
    "FROZENSET": lambda machine, _: machine.stack.append(machine.since_mark()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.since_mark())),
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "APPEND": lambda machine, _: _append_all(machine, [machine.pop()]),
    "APPENDS": lambda machine, _: _append_all(machine, machine.since_mark()),
    "ADDITEMS": lambda machine, _: _append_all(machine, machine.since_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _inst,
    "OBJ": _obj,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_keywords,
    "BUILD": _build,
    "PERSID": lambda machine, argument: machine.stack.append(Persistent(argument)),
    "BINPERSID": lambda machine, _: machine.stack.append(Persistent(machine.pop())),
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": lambda machine, _: machine.stack.append(machine.top()),
    "EXT1": lambda machine, _: machine.stack.append(Opaque("extension")),
    "EXT2": lambda machine, _: machine.stack.append(Opaque("extension")),
    "EXT4": lambda machine, _: machine.stack.append(Opaque("extension")),
    "NEXT_BUFFER": lambda machine, _: machine.stack.append(Opaque("buffer")),
}
