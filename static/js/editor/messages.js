// The template: one field, or a row for each message of a chat, which come, go and move by buttons and keys.
import { Field } from "./field.js";
import { $, element, icon } from "./dom.js";

const PARTS = "$json";

export class Template {
  constructor({ format, complete, onEdit, keys }) {
    this.given = { complete, onEdit, keys };
    this.name = format;
    const area = $("#template");
    if (area) {
      this.field = new Field(area, { format, label: "Template", ...this.given });
      this.rows = null;
      return;
    }
    this.box = $("#editor-rows");
    this.roles = [...($("select[name=role]", this.box)?.options || [])].map((option) => option.value);
    if (!this.roles.length) this.roles = ["system", "developer", "user", "assistant", "tool", "placeholder"];
    const given = [...this.box.querySelectorAll("[data-row]")].map((row) => ({
      role: $("select", row).value, content: $("textarea", row).value, rest: $("[name=rest]", row).value, errors: $(".field-errors", row),
    }));
    this.box.replaceChildren();
    this.rows = [];
    for (const row of given) this.add(row);
    for (const [verb, role] of [["add", ""], ["add-placeholder", "placeholder"]]) {
      const button = $(`[name=op][value=${verb}]`);
      button.type = "button";
      button.addEventListener("click", () => { this.add(role ? { role, content: "history" } : { role: this.following(this.rows.at(-1)) }).field.view.focus(); this.given.onEdit(); });
    }
  }
  following(row) { return row?.role.value === "user" ? "assistant" : "user"; }
  // One more row, after `before` or at the end.
  add({ role = "user", content = "", rest = "", errors = null }, after = null) {
    const row = { rest };
    row.role = element("select", { class: "form-select form-select-sm", name: "role", onchange: () => { this.number(); this.given.onEdit(); } }, ...this.roles.map((name) => element("option", {}, name)));
    if (role && !this.roles.includes(role)) row.role.append(element("option", {}, role));
    row.role.value = role;
    const button = (name, label, act) => element("button", { type: "button", class: "icon-button", title: label, onclick: act }, icon(name));
    row.up = button("arrow-up", "Move up", () => this.move(row, -1));
    row.down = button("arrow-down", "Move down", () => this.move(row, 1));
    row.gone = button("trash", "Remove", () => this.remove(row));
    const area = element("textarea", { name: "content", value: content });
    row.element = element("fieldset", { class: "editor-row", "data-row": true }, row.legend = element("legend", { class: "visually-hidden" }),
      element("div", { class: "editor-row-head" }, row.role, row.kind = element("span", { class: "editor-row-kind" }), row.up, row.down, row.gone),
      area, element("input", { type: "hidden", name: "rest", value: rest }), errors);
    if (after) after.element.after(row.element);
    else this.box.append(row.element);
    this.rows.splice(after ? this.rows.indexOf(after) + 1 : this.rows.length, 0, row);
    row.field = new Field(area, { ...this.given, format: this.formatOf(row), label: "Message", onEdit: () => this.given.onEdit(), keys: [
      ...this.given.keys,
      { key: "Alt-Shift-ArrowUp", run: () => this.move(row, -1) }, { key: "Alt-Shift-ArrowDown", run: () => this.move(row, 1) },
      { key: "Mod-Shift-Enter", run: () => { this.add({ role: this.following(row) }, row).field.view.focus(); this.given.onEdit(); return true; } },
    ] });
    this.number();
    return row;
  }
  formatOf(row) { return row.rest.includes(`"${PARTS}"`) ? "json" : this.name; }
  move(row, by) {
    const at = this.rows.indexOf(row);
    const to = at + by;
    if (to < 0 || to >= this.rows.length) return true;
    this.rows.splice(at, 1);
    this.rows.splice(to, 0, row);
    const focused = document.activeElement;
    if (by < 0) this.rows[to + 1].element.before(row.element);
    else this.rows[to - 1].element.after(row.element);
    this.number();
    if (row.element.contains(focused)) focused.focus();
    announce(`Message moved to place ${to + 1}`);
    this.given.onEdit();
    return true;
  }
  remove(row) {
    const at = this.rows.indexOf(row);
    this.rows.splice(at, 1);
    row.field.destroy();
    row.element.remove();
    this.number();
    (this.rows[Math.min(at, this.rows.length - 1)]?.field.view || $("[name=op][value=add]")).focus();
    announce(`Message ${at + 1} removed`);
    this.given.onEdit();
  }
  number() {
    for (const [at, row] of this.rows.entries()) {
      const number = at + 1;
      const named = row.role.value === "placeholder";
      row.legend.textContent = `Message ${number}`;
      row.role.setAttribute("aria-label", `Role of message ${number}`);
      row.up.setAttribute("aria-label", `Move message ${number} up`);
      row.down.setAttribute("aria-label", `Move message ${number} down`);
      row.gone.setAttribute("aria-label", `Remove message ${number}`);
      row.up.disabled = at === 0;
      row.down.disabled = at === this.rows.length - 1;
      row.kind.textContent = named ? "name, where a caller puts messages" : row.rest.includes(`"${PARTS}"`) ? "parts, as JSON" : "";
      row.element.classList.toggle("editor-placeholder", named);
      if (row.field) row.field.label = named ? `Name of the placeholder, message ${number}` : `Message ${number}, ${row.role.value}`;
    }
  }
  set format(name) {
    this.name = name;
    for (const [field, row] of this.fields()) field.format = row ? this.formatOf(row) : name;
  }
  // Each field with its row (none for a text).
  fields() { return this.rows ? this.rows.map((row) => [row.field, row]) : [[this.field, null]]; }
  get length() { return this.fields().reduce((sum, [field]) => sum + field.length, 0); }
  get placeholders() { return this.rows ? this.rows.filter((row) => row.role.value === "placeholder").map((row) => row.field.text.trim()).filter(Boolean) : []; }
  // As a version holds it. A list of parts that is no JSON yet stays text.
  get value() {
    if (!this.rows) return this.field.text;
    return this.rows.map((row) => {
      const content = row.field.text;
      if (row.role.value === "placeholder") return { type: "placeholder", name: content.trim() };
      const { [PARTS]: parts, ...rest } = row.rest ? JSON.parse(row.rest) : {};
      let read = content;
      if (parts) try { read = JSON.parse(content); } catch { /* half written */ }
      return { role: row.role.value, content: read, ...rest };
    });
  }
  set value(template) {
    if (!this.rows) { this.field.text = String(template); return; }
    for (const row of this.rows) { row.field.destroy(); row.element.remove(); }
    this.rows = [];
    for (const message of Array.isArray(template) ? template : []) {
      const { role, content, type, name, ...rest } = message;
      if (type === "placeholder") { this.add({ role: "placeholder", content: name || "" }); continue; }
      if (type !== undefined) rest.type = type;
      if (name !== undefined) rest.name = name;
      const whole = typeof content === "string";
      if (!whole) rest[PARTS] = true;
      this.add({ role, content: whole ? content : JSON.stringify(content, null, 2), rest: Object.keys(rest).length ? JSON.stringify(rest) : "" });
    }
  }
  // The field that a problem's name means: 'template', 'template[2].content'.
  at(name) {
    if (!this.rows) return this.field;
    const found = /^template\[(\d+)\]/.exec(name);
    return this.rows[found ? Number(found[1]) : 0]?.field;
  }
}
