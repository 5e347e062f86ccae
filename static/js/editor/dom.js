// Small things that the editor's parts share.
export const $ = (selector, within = document) => within.querySelector(selector);

// element("button", {class: "btn", onclick: …}, "text", child): attributes by name, handlers and properties as they are.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on") || key in { value: 1, checked: 1, hidden: 1, disabled: 1 }) made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${$(".topbar use").getAttribute("href").split("#")[0]}#${name}`);
  svg.append(use);
  return svg;
}
export const token = () => $("[name=csrfmiddlewaretoken]").value;

export class Refused extends Error {
  constructor(status, body) { super(body?.detail || `The site answered ${status}.`); this.status = status; this.body = body || {}; }
}
// JSON there and back. Refused with the problem's body when the server says no; TypeError when it can't be reached.
export async function call(address, { method = "GET", body, signal, keepalive } = {}) {
  const headers = { Accept: "application/json", "X-CSRFToken": token() };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(address, { method, headers, signal, keepalive, body: body === undefined ? undefined : JSON.stringify(body) });
  if (answer.status === 204) return null;
  const read = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, read);
  return read;
}
export function later(wait, work) {
  let timer;
  const run = (...words) => { clearTimeout(timer); timer = setTimeout(() => work(...words), wait); };
  run.now = (...words) => { clearTimeout(timer); return work(...words); };
  run.stop = () => clearTimeout(timer);
  return run;
}
export function alertBox(tone, text, ...buttons) {
  return element("div", { class: `alert alert-${tone}` }, icon(tone === "danger" ? "alert-circle" : "info-circle"), element("div", {}, text, " ", element("span", { class: "editor-draft-actions" }, ...buttons)));
}
export const clock = (moment) => new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
