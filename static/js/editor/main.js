// The editor of prompts: makes one of the page's plain form. Everything it knows of the page is in #editor-config and in the fields.
import { placeholder } from "../../vendor/codemirror.js";
import { completer } from "./complete.js";
import { $, call, element } from "./dom.js";
import { Draft } from "./drafts.js";
import { Field, all } from "./field.js";
import { Inputs } from "./inputs.js";
import { read } from "./json.js";
import { Template } from "./messages.js";
import { Preview } from "./preview.js";
import { Problems } from "./problems.js";
import { Save } from "./save.js";

const config = JSON.parse($("#editor-config").textContent);
const form = $("#editor");
const format = $("[name=format]", form);
form.classList.add("is-live");

const keys = [
  { key: "Mod-s", run: () => { draft.save(); return true; }, preventDefault: true },
  { key: "Mod-Shift-s", run: () => save.open(), preventDefault: true },
  { key: "Mod-Enter", run: () => { preview.render.stop(); preview.ask({ force: true }); return true; } },
  { key: "F8", run: () => problems.next() },
  { key: "F1", run: () => help(), preventDefault: true },
];
const edited = () => { problems.check(); preview.draw(preview.variables); preview.render(); draft.changed(); };
let variables = Object.keys(config.values);
const complete = completer({
  api: config.api, team: config.team, format: () => format.value,
  variables: () => {
    const declared = inputs.value.filter((row) => typeof row?.name === "string").map((row) => ({ name: row.name, detail: [row.type, row.description].filter(Boolean).join(": ") }));
    const names = new Set(declared.map((row) => row.name));
    return [...declared, ...variables.filter((name) => !names.has(name)).map((name) => ({ name, detail: "in the template" }))];
  },
});

const template = new Template({ format: format.value, complete, onEdit: () => edited(), keys });
const inputs = new Inputs({ onEdit: () => edited(), keys });
const jsons = { inputs: inputs.field };
for (const name of ["parameters", "tools", "response_format"]) {
  const area = $(`#${name}`);
  const label = { parameters: "Parameters, as JSON", tools: "Tools, as JSON", response_format: "Response format, as JSON" }[name];
  jsons[name] = new Field(area, { format: "json", label, keys, onEdit: () => { counts(); edited(); }, placeholder: area.placeholder ? placeholder(area.placeholder) : null });
}
const model = $("#model");

// What a version would hold, as far as it can be read.
function fields() {
  const found = { type: $("[name=type]").value, format: format.value, template: template.value, model: model.value.trim() };
  for (const [name, field] of Object.entries(jsons)) {
    const { value } = read(field.text);
    if (value !== null && value !== undefined) found[name] = value;
  }
  return config.address ? { ...found, prompt: config.address } : found;
}
// What a draft keeps: the same, with JSON as it stands in the editor.
function content() {
  const found = { type: $("[name=type]").value, format: format.value, template: template.value, model: model.value, message: $("#message").value, values: preview.texts };
  for (const [name, field] of Object.entries(jsons)) found[name] = field.text;
  if (config.names) Object.assign(found, { name: $("#name").value, description: $("#description").value });
  return found;
}
function apply(found) {
  format.value = found.format || "jinja2";
  template.format = format.value;
  template.value = found.template ?? "";
  for (const [name, field] of Object.entries(jsons)) field.text = found[name] || "";
  model.value = found.model || "";
  $("#message").value = found.message || "";
  if (config.names) { $("#name").value = found.name || ""; $("#description").value = found.description || ""; }
  preview.texts = { ...found.values };
  preview.drawn = "";
  inputs.draw();
  counts();
  edited();
}
function write() { for (const [field] of template.fields()) field.write(); for (const field of Object.values(jsons)) field.write(); }
function counts() {
  const many = (name) => { const { value } = read(jsons[name].text); return Array.isArray(value) ? value.length : value ? Object.keys(value).length : 0; };
  $("#part-model [data-count]").textContent = [model.value.trim(), many("parameters") ? `${many("parameters")} parameter${many("parameters") === 1 ? "" : "s"}` : ""].filter(Boolean).join(", ");
  $("#part-tools [data-count]").textContent = many("tools") || "";
  const shape = read(jsons.response_format.text).value;
  $("#part-response_format [data-count]").textContent = shape?.json_schema?.name || shape?.type || "";
}

const preview = new Preview({ api: config.api, team: config.team, values: config.values, template, inputs, fields, onEdit: () => { preview.render(); draft.changed(); } });
const problems = new Problems({
  address: `${config.api}prompts/${encodeURIComponent(config.team)}/check`, template, jsons, fields,
  onChecked: (found) => {
    // A text that can't be read says nothing of its variables: those known before stay.
    const broken = found.problems.some((problem) => problem.severity === "error" && problem.field.startsWith("template"));
    const names = found.variables.filter((name) => !template.placeholders.includes(name));
    variables = broken ? [...new Set([...variables, ...names])] : names;
    inputs.used(variables);
    preview.draw(variables);
    preview.render();
  },
});
config.names = Boolean($("#name"));
const draft = new Draft({ config, content, apply });
const save = new Save({ form, config, write, draft, problems });
draft.restore();

format.addEventListener("change", () => { template.format = format.value; edited(); });
for (const plain of [model, $("#message"), $("#name"), $("#description")]) plain?.addEventListener("input", () => { counts(); edited(); });
$("[name=op][value=discard]")?.addEventListener("click", (event) => {
  event.preventDefault();
  draft.done();
  write();
  form.append(element("input", { type: "hidden", name: "op", value: "discard" }));
  HTMLFormElement.prototype.submit.call(form);
});

// The playground takes what is written here as it stands, with the values that were tried.
$("[data-play]")?.addEventListener("click", () => {
  $("[name=values]", form)?.remove();
  form.append(element("input", { type: "hidden", name: "values", value: JSON.stringify(preview.texts) }));
});

function help() { $("#editor-keys").showModal(); return true; }
$("[data-keys]").addEventListener("click", help);
document.addEventListener("keydown", (event) => {
  const control = event.ctrlKey || event.metaKey;
  if (event.defaultPrevented) return;
  const name = `${control ? "Mod-" : ""}${event.shiftKey && control ? "Shift-" : ""}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`;
  const found = keys.find((one) => one.key === name);
  if (found && !(document.querySelector("dialog[open]") && name !== "Mod-s")) { event.preventDefault(); found.run(); }
});
// `?` shows these keys here, before those of the site.
document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || event.target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]")) return;
  event.stopImmediatePropagation();
  event.preventDefault();
  help();
}, true);

// What the gateway serves, as suggestions, and what its tokens cost.
call(`${config.api}deployments?limit=200`).then(({ results }) => {
  const names = results.map((row) => `${row.team}/${row.name}`);
  preview.prices = new Map(results.map((row, at) => [names[at], row.prices]));
  $("#models").replaceChildren(...names.map((name) => element("option", { value: name })));
  preview.render();
}).catch(() => undefined);

// What was folded away was never measured.
document.addEventListener("toggle", () => { for (const field of all()) field.view.requestMeasure(); }, true);

counts();
problems.check.now();
preview.draw(variables);
