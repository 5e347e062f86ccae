// What is wrong, while somebody types: in the text, in a list below it, and from the keyboard (F8).
import { LARGE } from "./field.js";
import { $, call, element, icon, later } from "./dom.js";
import { locate, read, steps } from "./json.js";

const PARTS = { inputs: "Inputs", tools: "Tools", response_format: "Response format", parameters: "Parameters", model: "Model" };

export class Problems {
  constructor({ address, template, jsons, fields, onChecked }) {
    Object.assign(this, { address, template, jsons, fields, onChecked });
    this.box = $("#editor-problems");
    this.list = [];
    this.asked = 0;
    this.check = later(350, () => this.ask());
  }
  async ask() {
    this.own = [];
    const body = this.fields();
    for (const [name, field] of Object.entries(this.jsons)) {
      const { problem } = read(field.text);
      if (problem) this.own.push({ ...problem, field: name });
    }
    if (this.template.length > LARGE) {
      this.show([{ field: "template", severity: "info", message: `Not checked while you write: it is longer than ${LARGE.toLocaleString("en")} characters. It is checked when you save.` }]);
      return;
    }
    const mine = ++this.asked;
    this.aborter?.abort();
    this.aborter = new AbortController();
    try {
      const found = await call(this.address, { method: "POST", body, signal: this.aborter.signal });
      if (mine === this.asked) { this.show(found.problems); this.onChecked(found); }
    } catch (error) {
      if (mine !== this.asked || error.name === "AbortError") return;
      if (error.body?.errors) this.show(Object.entries(error.body.errors).flatMap(([field, texts]) => texts.map((text) => said(field, text))));
      // Without a connection what was shown stays: the next pause asks again.
    }
  }
  fieldOf(name) { return this.jsons[steps(name)[0]] || (name.startsWith("template") ? this.template.at(name) : null); }
  show(found) {
    this.found = found;
    const known = new Set(this.own.map((problem) => problem.field));
    // An empty editor is no mistake yet.
    const empty = !this.template.fields().some(([field]) => field.text.trim());
    this.list = [...this.own, ...found.filter((problem) => !known.has(problem.field) && !(empty && problem.field.startsWith("template")))];
    const byField = new Map([...this.template.fields().map(([field]) => [field, []]), ...Object.values(this.jsons).map((field) => [field, []])]);
    for (const problem of this.list) {
      const field = this.fieldOf(problem.field);
      const inside = this.jsons[steps(problem.field)[0]];
      if (inside && problem.at === undefined && !problem.line) problem.at = locate(inside.text, steps(problem.field).slice(1));
      byField.get(field)?.push(problem);
    }
    for (const [field, problems] of byField) {
      const key = JSON.stringify(problems);
      if (field.shown !== key) { field.show(problems); field.shown = key; }
    }
    this.draw();
  }
  draw() {
    const rows = this.list.map((problem) => {
      const field = this.fieldOf(problem.field);
      const place = field && (problem.line || problem.at !== undefined) ? (problem.line ? problem : field.place(problem.at)) : null;
      const number = /^template\[(\d+)\]/.exec(problem.field);
      const where = [number ? `Message ${Number(number[1]) + 1}` : PARTS[steps(problem.field)[0]], place && `${place.line}:${place.column}`].filter(Boolean).join(", ");
      const go = element("button", { type: "button", class: `editor-problem is-${problem.severity}`, onclick: () => this.jump(problem) },
        icon(problem.severity === "error" ? "circle-x" : problem.severity === "info" ? "info-circle" : "alert-triangle"),
        element("span", { class: "visually-hidden" }, `${problem.severity}: `), where ? element("code", {}, where) : null, element("span", {}, problem.message));
      return element("li", {}, go);
    });
    const text = rows.map((row) => row.textContent).join("\n");
    if (text === this.drawn) return;
    this.drawn = text;
    this.box.hidden = !rows.length;
    this.box.replaceChildren(element("ul", {}, ...rows));
    const errors = this.list.filter((problem) => problem.severity === "error").length;
    announce(errors ? `${errors} problem${errors > 1 ? "s" : ""}` : "No problems");
  }
  jump(problem) {
    const field = this.fieldOf(problem.field);
    if (!field) return;
    field.view.dom.closest("details")?.setAttribute("open", "");
    field.jump(problem.line ? field.position(problem.line, problem.column) : problem.at ?? 0);
  }
  next() {
    if (!this.list.length) return true;
    this.turn = ((this.turn ?? -1) + 1) % this.list.length;
    this.jump(this.list[this.turn]);
    return true;
  }
  get errors() { return this.list.filter((problem) => problem.severity === "error"); }
}
// 'line 2, column 5: …' as a problem's text may begin.
function said(field, text) {
  const place = /^line (\d+), column (\d+): /.exec(text);
  return { field, severity: "error", message: place ? text.slice(place[0].length) : text, line: place ? Number(place[1]) : null, column: place ? Number(place[2]) : null };
}
