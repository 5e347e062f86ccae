// What the variables are, as a table; the JSON behind it is a click away, and what the table knows nothing of stays in it.
import { Field } from "./field.js";
import { $, element, icon } from "./dom.js";
import { read } from "./json.js";

export const TYPES = ["string", "number", "integer", "boolean", "array", "object", "messages"];
const LIMITS = [
  ["enum", "One of", "JSON list", ["string", "number", "integer", "boolean"]], ["minimum", "At least", "number", ["number", "integer"]], ["maximum", "At most", "number", ["number", "integer"]],
  ["min_length", "Length from", "number", ["string", "array", "messages"]], ["max_length", "Length to", "number", ["string", "array", "messages"]],
  ["pattern", "Pattern", "regular expression", ["string"]], ["items", "Items", "JSON", ["array"]],
];

// A cell's text as the type's value; text that is none yet stays text, and the check says so.
function typed(text, type) {
  if (type === "string") return text;
  try { return JSON.parse(text); } catch { return text; }
}
const shown = (value) => (value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));

export class Inputs {
  constructor({ onEdit, keys }) {
    this.onEdit = onEdit;
    const area = $("#inputs");
    this.field = new Field(area, { format: "json", label: "Inputs, as JSON", onEdit: () => { if (!this.drawing) { this.draw(); onEdit(); } }, keys });
    this.table = element("div", { class: "editor-inputs" });
    this.found = element("div", { class: "editor-found" });
    this.toggle = element("button", { type: "button", class: "btn btn-sm", onclick: () => { this.raw = !this.raw; this.draw(); } });
    area.before(this.table, this.found, element("div", { class: "editor-add" }, element("button", { type: "button", class: "btn btn-sm", onclick: () => this.declare("") }, icon("plus"), "Add input"), this.toggle));
    this.variables = [];
    this.raw = false;
    this.draw();
  }
  get value() { const { value } = read(this.field.text); return Array.isArray(value) ? value : []; }
  get names() { return this.value.map((row) => row?.name).filter((name) => typeof name === "string"); }
  change(rows, redraw = true) {
    this.drawing = true;
    this.field.text = rows.length ? JSON.stringify(rows, null, 2) : "";
    this.drawing = false;
    if (redraw) this.draw();
    this.onEdit();
  }
  declare(name) {
    const rows = this.value;
    this.change([...rows, { name, type: "string" }]);
    this.table.querySelectorAll("[data-input]")[rows.length]?.querySelector(name ? "[data-key=description]" : "[data-key=name]")?.focus();
  }
  // The names that the template uses and nobody declared.
  used(variables) {
    this.variables = variables;
    const open = variables.filter((name) => !this.names.includes(name));
    const text = open.join("\n");
    if (text === this.open) return;
    this.open = text;
    this.found.replaceChildren(...(open.length ? ["In the template, not declared: ", ...open.slice(0, 30).map((name) => element("button", { type: "button", class: "word", title: `Declare ${name}`, onclick: () => this.declare(name) }, `+ ${name}`))] : []));
  }
  draw() {
    const { value, problem } = read(this.field.text);
    const plain = problem || (value !== null && (!Array.isArray(value) || value.some((row) => !row || typeof row !== "object" || Array.isArray(row))));
    const raw = this.raw || plain;
    this.field.view.dom.hidden = !raw;
    this.table.hidden = raw;
    this.toggle.hidden = Boolean(plain);
    this.toggle.textContent = this.raw ? "Edit as a table" : "Edit as JSON";
    $("#part-inputs [data-count]").textContent = Array.isArray(value) && value.length ? value.length : "";
    if (!raw) this.table.replaceChildren(...(value || []).map((row, at) => this.row(row, at)));
    this.open = undefined;
    this.used(this.variables);
  }
  row(row, at) {
    const name = row.name || `input ${at + 1}`;
    const set = (key, value, redraw = false) => {
      const rows = this.value;
      rows[at] = { ...rows[at], [key]: value };
      if (value === undefined || value === "") { if (key !== "name") delete rows[at][key]; }
      this.change(rows, redraw);
    };
    const cell = (key, label, { hint = "", type = "string", wide = false } = {}) => element("label", { class: wide ? "editor-cell is-wide" : "editor-cell" }, element("span", {}, label),
      element("input", { class: "form-control form-control-sm", "data-key": key, "aria-label": `${label} of ${name}`, value: shown(row[key]), placeholder: hint, autocomplete: "off",
        oninput: (event) => set(key, event.target.value === "" ? undefined : typed(event.target.value, type)) }));
    const kind = TYPES.includes(row.type) ? row.type : "string";
    const type = element("select", { class: "form-select form-select-sm", "aria-label": `Type of ${name}`, onchange: (event) => set("type", event.target.value, true) }, ...TYPES.map((one) => element("option", {}, one)));
    type.value = kind;
    const limits = LIMITS.filter(([, , , kinds]) => kinds.includes(kind));
    const required = element("label", { class: "check" }, element("input", { type: "checkbox", class: "form-check-input", checked: row.required !== false, "aria-label": `${name} is required`, onchange: (event) => set("required", event.target.checked ? undefined : false) }), element("span", {}, "required"));
    return element("div", { class: "editor-input", "data-input": true, role: "group", "aria-label": `Input ${name}` },
      element("div", { class: "editor-input-grid" },
        cell("name", "Name"), element("label", { class: "editor-cell" }, element("span", {}, "Type"), type),
        cell("default", "Default", { type: kind }), cell("example", "Example", { type: kind }), cell("description", "Description", { wide: true })),
      element("div", { class: "editor-input-foot" }, required,
        element("details", { open: limits.some(([key]) => row[key] !== undefined) }, element("summary", {}, "Constraints"),
          element("div", { class: "editor-input-grid" }, ...limits.map(([key, label, hint]) => cell(key, label, { hint, type: key === "pattern" ? "string" : "json" })))),
        element("button", { type: "button", class: "icon-button", title: "Remove", "aria-label": `Remove input ${name}`, onclick: () => { this.change(this.value.filter((_, other) => other !== at)); } }, icon("trash"))));
  }
}
