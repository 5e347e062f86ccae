// Values to try, what comes of them, and how many tokens that is.
import { LARGE } from "./field.js";
import { $, Refused, call, element, later } from "./dom.js";

const NESTED = ["array", "object", "messages"];
// What stands for a value that nobody gave yet, so that the text shows while one writes.
const open = (name) => `«${name}»`;

export class Preview {
  constructor({ api, team, values, template, inputs, fields, onEdit }) {
    Object.assign(this, { api, team, template, inputs, fields, onEdit });
    this.texts = { ...values };
    this.variables = [];
    this.prices = new Map();
    this.box = $("#editor-values");
    this.out = $("#editor-preview");
    this.tokens = $("#editor-tokens");
    this.asked = 0;
    this.render = later(300, () => this.ask());
    this.count = later(500, (rendered) => this.weigh(rendered));
  }
  // A field for each variable and placeholder; those that stay keep what is in them, and the cursor.
  draw(variables) {
    this.variables = variables;
    const declared = new Map(this.inputs.value.filter((row) => typeof row?.name === "string").map((row) => [row.name, row]));
    const wanted = [...new Set([...declared.keys(), ...variables])].map((name) => declared.get(name) || { name, type: "" });
    const all = [...wanted, ...[...new Set(this.template.placeholders)].map((name) => ({ name, type: "messages", placeholder: true }))];
    const key = JSON.stringify(all.map(({ name, type, default: fallback, example, required, enum: choices }) => [name, type, fallback, example, required, choices]));
    if (key === this.drawn) return;
    this.drawn = key;
    const focused = document.activeElement?.dataset?.value;
    this.box.replaceChildren(...(all.length ? all.map((input) => this.row(input)) : [element("p", { class: "text-secondary mb-0" }, "No variables yet.")]));
    if (focused) this.box.querySelector(`[data-value="${CSS.escape(focused)}"]`)?.focus();
    this.all = all;
  }
  row(input) {
    const { name, type } = input;
    const set = (event) => { if (event.target.value === "") delete this.texts[name]; else this.texts[name] = event.target.value; this.onEdit(); };
    const given = { class: "form-control form-control-sm", "data-value": name, value: this.texts[name] ?? "", oninput: set, id: `try-${name}` };
    const hint = input.default !== undefined ? `default: ${shown(input.default)}` : input.example !== undefined ? `such as ${shown(input.example)}` : type === "messages" ? '[{"role": "user", "content": "Hello"}]' : "";
    let control;
    if (type === "boolean" || Array.isArray(input.enum)) {
      const choices = type === "boolean" ? ["true", "false"] : input.enum.map(shown);
      control = element("select", { ...given, class: "form-select form-select-sm", value: undefined, onchange: set, oninput: null }, element("option", { value: "" }, hint || "–"), ...choices.map((choice) => element("option", {}, choice)));
      control.value = this.texts[name] ?? "";
    } else if (type === "number" || type === "integer") control = element("input", { ...given, inputmode: "decimal", placeholder: hint });
    else {
      control = element("textarea", { ...given, rows: 1, spellcheck: "false", dir: "auto", placeholder: hint });
      control.classList.add("editor-grow");
    }
    return element("div", { class: "editor-value" }, element("label", { for: `try-${name}` }, element("code", {}, name), type ? element("small", {}, ` ${input.placeholder ? "messages" : type}`) : null), control);
  }
  // What is sent: typed as declared. Missing texts stand for themselves.
  given() {
    const variables = {};
    const placeholders = {};
    const missing = [];
    for (const input of this.all || []) {
      const text = this.texts[input.name];
      const target = input.placeholder ? placeholders : variables;
      if (text !== undefined && text !== "") target[input.name] = read(text, input.type);
      else if (input.placeholder) target[input.name] = [];
      else if (input.default !== undefined) continue;
      else if (input.example !== undefined) target[input.name] = input.example;
      else if (input.type === "" || input.type === "string") { missing.push(input.name); if (this.variables.includes(input.name)) target[input.name] = open(input.name); }
    }
    return { variables, placeholders, missing };
  }
  async ask({ force = false } = {}) {
    const mine = ++this.asked;
    const { variables, placeholders } = this.given();
    if (this.template.length > LARGE && !force) { this.say(`Press Ctrl Enter to render: it is longer than ${LARGE.toLocaleString("en")} characters.`); return; }
    if (!this.template.fields().some(([field]) => field.text.trim())) { this.say("The text appears here."); this.tokens.textContent = ""; return; }
    this.aborter?.abort();
    this.aborter = new AbortController();
    this.out.setAttribute("aria-busy", "true");
    try {
      const body = { ...this.fields(), variables, placeholders };
      const answer = await call(`${this.api}prompts/${encodeURIComponent(this.team)}/render`, { method: "POST", body, signal: this.aborter.signal });
      if (mine !== this.asked) return;
      const rendered = answer.messages ?? answer.text ?? answer.rendered;
      this.show(rendered);
      this.count(rendered);
    } catch (error) {
      if (mine !== this.asked || error.name === "AbortError") return;
      this.fail(error);
    } finally { if (mine === this.asked) this.out.setAttribute("aria-busy", "false"); }
  }
  say(text) { this.out.replaceChildren(element("p", { class: "text-secondary mb-0" }, text)); }
  // The last text stays where it was, greyed, with what is wrong above it: nothing jumps while one types.
  fail(error) {
    // What the list of problems says already is not said again here.
    const listed = /^(inputs|tools|response_format|parameters|model|format|type)\b/;
    const own = (field, said) => !listed.test(field) && !(field.startsWith("template") && /^line \d+/.test(said[0]));
    const texts = error instanceof Refused
      ? [...new Set(Object.entries(error.body.errors || { "": [error.message] }).flatMap(([field, said]) => (own(field, said) ? said : [])))]
      : ["No connection: the text is rendered when it is back."];
    this.out.querySelector(".editor-failed")?.remove();
    this.out.classList.add("is-old");
    if (texts.length) this.out.prepend(element("div", { class: "editor-failed" }, ...texts.slice(0, 5).map((text) => element("p", {}, text))));
  }
  show(rendered) {
    this.out.classList.remove("is-old");
    const marked = (text) => {
      const limit = 100_000;
      const parts = text.slice(0, limit).split(/(«[\p{L}\p{N}_.-]+»)/u);
      return [...parts.map((part, at) => (at % 2 ? element("mark", {}, part) : part)), text.length > limit ? element("em", {}, `\n… ${(text.length - limit).toLocaleString("en")} characters more`) : null];
    };
    const said = (content) => (typeof content === "string" ? content : JSON.stringify(content, null, 2));
    const messages = Array.isArray(rendered) ? rendered : [{ content: String(rendered) }];
    this.out.replaceChildren(...messages.map(({ role, content, ...rest }) => element("div", { class: "prompt-message" }, role ? element("div", { class: "prompt-role" }, role) : null,
      element("pre", { class: "prompt-text", dir: "auto", tabindex: "0", "aria-label": role ? `Rendered ${role} message` : "Rendered text" }, ...marked(said(content ?? ""))),
      Object.keys(rest).length ? element("pre", { class: "prompt-text prompt-rest", tabindex: "0", "aria-label": "What else the message holds" }, JSON.stringify(rest, null, 2)) : null)));
  }
  async weigh(rendered) {
    const mine = this.asked;
    const body = { model: this.fields().model || "" };
    if (Array.isArray(rendered)) body.messages = rendered;
    else body.text = rendered;
    try {
      const found = await call(`${this.api}tokenize`, { method: "POST", body });
      if (mine !== this.asked) return;
      const price = this.prices.get(body.model);
      const cost = price ? ` · ${money(found.tokens * Number(price.input_per_million) / 1e6)} ${price.currency}`.trimEnd() : "";
      this.tokens.replaceChildren(`${found.exact ? "" : "about "}${found.tokens.toLocaleString("en")} token${found.tokens === 1 ? "" : "s"}${cost}`, element("span", { class: "editor-counted" }, ` counted with ${found.counted_with}`));
    } catch { if (mine === this.asked) this.tokens.textContent = ""; }
  }
}
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));
// Two digits that count below one, cents above.
const money = (amount) => (amount >= 1 ? amount.toFixed(2) : amount === 0 ? "0.00" : Number(amount.toPrecision(2)).toLocaleString("en", { maximumFractionDigits: 12 }));
// A value as its type says; undeclared ones are text, but a JSON list or object where one is written.
function read(text, type) {
  if (type === "string") return text;
  if (type === "boolean") return text === "true";
  if (type === "number" || type === "integer") return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  if (NESTED.includes(type) || /^\s*[[{]/.test(text)) try { return JSON.parse(text); } catch { return text; }
  return text;
}
