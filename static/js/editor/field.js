// One CodeMirror in the place of a textarea. The textarea stays in the form, and gets the text back when somebody asks for it.
import {
  Compartment, EditorState, EditorView, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap, completionKeymap, defaultKeymap, drawSelection, dropCursor,
  highlightActiveLine, highlightSpecialChars, history, historyKeymap, indentUnit, indentWithTab, keymap, lineNumbers, lintGutter, lintKeymap, search, setDiagnostics,
} from "../../vendor/codemirror.js";
import { colours, language } from "./language.js";

// Above this many characters nothing is checked while typing: the server would read a megabyte for each pause.
export const LARGE = 200_000;
const fields = new Set();
export const all = () => fields;

const find = { key: "Mod-f", preventDefault: true, run: (view) => {
  search().then(({ openSearchPanel }) => openSearchPanel(view));
  return true;
} };

export class Field {
  constructor(textarea, { format = "jinja2", label, complete = null, onEdit, keys = [], placeholder = null }) {
    this.textarea = textarea;
    this.languages = new Compartment();
    this.labels = new Compartment();
    this.problems = [];
    const extensions = [
      keymap.of([...keys, find]),
      lineNumbers(), highlightSpecialChars(), history(), drawSelection(), dropCursor(), highlightActiveLine(),
      EditorView.lineWrapping, EditorView.perLineTextDirection.of(true), EditorState.allowMultipleSelections.of(true),
      bracketMatching(), closeBrackets(), indentUnit.of("  "), lintGutter(), colours,
      autocompletion({ override: complete ? [complete] : null, icons: false, maxRenderedOptions: 60 }),
      keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab]),
      this.languages.of(language(format)),
      this.labels.of(this.named(label)),
      EditorView.updateListener.of((update) => { if (update.docChanged) onEdit(this); }),
      ...(placeholder ? [placeholder] : []),
    ];
    this.view = new EditorView({ state: EditorState.create({ doc: textarea.value, extensions }) });
    this.view.dom.dataset.field = textarea.name;
    textarea.hidden = true;
    textarea.after(this.view.dom);
    fields.add(this);
  }
  named(label) { return EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }); }
  get text() { return this.view.state.doc.toString(); }
  get length() { return this.view.state.doc.length; }
  set text(text) { if (text !== this.text) this.view.dispatch({ changes: { from: 0, to: this.length, insert: text } }); }
  set format(name) { this.view.dispatch({ effects: this.languages.reconfigure(language(name)) }); }
  set label(label) { this.view.dispatch({ effects: this.labels.reconfigure(this.named(label)) }); }
  write() { this.textarea.value = this.text; }
  destroy() { fields.delete(this); this.view.destroy(); }

  // Line and column count from 1, columns in whole characters, as the server counts.
  position(line, column) {
    const row = this.view.state.doc.line(Math.min(Math.max(line || 1, 1), this.view.state.doc.lines));
    let at = row.from;
    for (const letter of row.text) { if (--column < 1) break; at += letter.length; }
    return at;
  }
  place(at) {
    const row = this.view.state.doc.lineAt(Math.min(at, this.length));
    return { line: row.number, column: [...row.text.slice(0, at - row.from)].length + 1 };
  }
  show(problems) {
    this.problems = problems;
    const diagnostics = problems.map((problem) => {
      const from = problem.at ?? (problem.line ? this.position(problem.line, problem.column) : 0);
      const word = this.view.state.wordAt(from);
      const to = problem.line || problem.at !== undefined ? Math.max(word?.to ?? 0, Math.min(from + 1, this.length)) : from;
      return { from, to: Math.max(from, to), severity: problem.severity, message: problem.message };
    });
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics.sort((one, other) => one.from - other.from)));
  }
  jump(at) {
    this.view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
    this.view.focus();
  }
}
