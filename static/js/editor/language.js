// How templates and JSON are read for colours: Jinja, mustache, JSON.
import { HighlightStyle, StreamLanguage, syntaxHighlighting, tags as t } from "../../vendor/codemirror.js";

const WORDS = new Set("and as elif else endfilter endfor endif endmacro endset filter for if import in include is macro not or raw endraw recursive scoped set with endwith without ignore missing context call endcall do".split(" "));
const ATOMS = new Set(["true", "false", "none", "True", "False", "None", "loop"]);

// mode: "" in text, else what ends the tag. `after` is the last sign that says what a name is: | filter, . attribute, is a test.
const jinja = {
  name: "jinja2",
  startState: () => ({ mode: "", after: "", quote: "", raw: false, head: false }),
  copyState: (state) => ({ ...state }),
  token(stream, state) {
    if (!state.mode) {
      const tag = state.raw ? stream.match(/\{%[-+]?(?=\s*endraw\b)/) : stream.match(/\{\{[-+]?|\{%[-+]?|\{#[-+]?/);
      if (tag) {
        state.mode = { "{{": "}}", "{%": "%}", "{#": "#}" }[tag[0].slice(0, 2)];
        state.after = "";
        state.head = state.mode === "%}";
        return state.mode === "#}" ? "comment" : "processingInstruction";
      }
      if (!stream.eatWhile(state.raw ? /[^{]/ : /[^{]/)) stream.next();
      return null;
    }
    if (state.mode === "#}") {
      if (stream.skipTo("#}")) { stream.pos += 2; state.mode = ""; } else stream.skipToEnd();
      return "comment";
    }
    if (state.quote) return text(stream, state);
    if (stream.eatSpace()) return null;
    if (stream.match(state.mode === "}}" ? /[-+]?\}\}/ : /[-+]?%\}/)) { state.mode = ""; return "processingInstruction"; }
    const sign = stream.peek();
    if (sign === '"' || sign === "'") { state.quote = stream.next(); state.after = ""; return text(stream, state); }
    if (stream.match(/\d+(\.\d+)?([eE][-+]?\d+)?/)) { state.after = ""; return "number"; }
    const name = stream.match(/[\p{L}_][\p{L}\p{N}_]*/u);
    if (name) return said(name[0], stream, state);
    state.after = stream.next();
    return state.after === "|" || "()[]{}.,:".includes(state.after) ? "punctuation" : "operator";
  },
  languageData: { commentTokens: { block: { open: "{#", close: "#}" } }, closeBrackets: { brackets: ["(", "[", "{", "'", '"'] } },
};
function text(stream, state) {
  let escaped = false;
  while (!stream.eol()) {
    const sign = stream.next();
    if (sign === state.quote && !escaped) { state.quote = ""; break; }
    escaped = !escaped && sign === "\\";
  }
  return "string";
}
function said(name, stream, state) {
  const { after, head } = state;
  state.after = "";
  state.head = false;
  if (after === "|") return "filter";
  if (after === ".") return "propertyName";
  if (head && (name === "raw" || name === "endraw")) state.raw = name === "raw";
  if (head || WORDS.has(name)) { if (name === "is") state.after = "is"; return "keyword"; }
  if (after === "is") { return "filter"; }
  if (ATOMS.has(name)) return "atom";
  return stream.match(/\s*\(/, false) ? "filter" : "variableName";
}

const mustache = {
  name: "mustache",
  startState: () => ({ end: "", kind: "" }),
  copyState: (state) => ({ ...state }),
  token(stream, state) {
    if (!state.end) {
      const tag = stream.match(/\{\{\{|\{\{\s*[!#^/>&=]?/);
      if (tag) {
        state.end = tag[0] === "{{{" ? "}}}" : "}}";
        state.kind = tag[0].slice(2).trim();
        return state.kind === "!" ? "comment" : "processingInstruction";
      }
      if (!stream.eatWhile(/[^{]/)) stream.next();
      return null;
    }
    if (state.kind === "!") {
      if (stream.skipTo("}}")) { stream.pos += 2; state.end = ""; } else stream.skipToEnd();
      return "comment";
    }
    if (stream.match(state.end)) { state.end = ""; return "processingInstruction"; }
    if (stream.eatSpace()) return null;
    if (stream.match(/[^\s}]+/)) return { ">": "string", "#": "keyword", "^": "keyword", "/": "keyword" }[state.kind] || "variableName";
    stream.next();
    return null;
  },
  languageData: { commentTokens: { block: { open: "{{!", close: "}}" } }, closeBrackets: { brackets: ["{"] } },
};

const json = {
  name: "json",
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/"(?:[^"\\]|\\.)*"?/)) return stream.match(/\s*:/, false) ? "propertyName" : "string";
    if (stream.match(/-?\d+(\.\d+)?([eE][-+]?\d+)?/)) return "number";
    if (stream.match(/true\b|false\b|null\b/)) return "atom";
    return "{}[],:".includes(stream.next()) ? "punctuation" : "invalid";
  },
  languageData: { closeBrackets: { brackets: ["[", "{", '"'] } },
};

const tokenTable = { filter: t.function(t.variableName), invalid: t.invalid };
const made = Object.fromEntries(Object.entries({ jinja2: jinja, mustache, json }).map(([name, spec]) => [name, StreamLanguage.define({ ...spec, tokenTable })]));
export const language = (name) => made[name] || made.jinja2;

// Colours of static/css/app.css, so that the theme is nobody's business here. A variable stands out by more than its colour.
export const colours = syntaxHighlighting(HighlightStyle.define([
  { tag: t.variableName, class: "cm-variable" },
  { tag: t.processingInstruction, color: "var(--info)" },
  { tag: t.function(t.variableName), color: "var(--busy)" },
  { tag: t.keyword, color: "var(--busy)", fontWeight: "600" },
  { tag: [t.string, t.special(t.string)], color: "var(--good)" },
  { tag: [t.number, t.atom], color: "var(--warn)" },
  { tag: t.propertyName, color: "var(--ink)", fontWeight: "600" },
  { tag: t.comment, color: "var(--ink-3)", fontStyle: "italic" },
  { tag: [t.punctuation, t.operator], color: "var(--ink-2)" },
  { tag: t.invalid, color: "var(--bad)" },
]));
