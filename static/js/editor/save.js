// The dialog that makes a version: what changed, the branch, the difference before anything is saved.
import { $, element } from "./dom.js";

export class Save {
  constructor({ form, config, write, draft, problems }) {
    Object.assign(this, { form, config, write, draft, problems });
    this.box = $("#save-box");
    this.dialog = element("dialog", { class: "dialog editor-dialog", "aria-labelledby": "save-title" });
    this.box.before(this.dialog);
    this.dialog.append(this.box);
    const cancel = $("[data-save-cancel]", this.box);
    const close = element("button", { type: "button", class: "btn", onclick: () => this.dialog.close() }, "Go on writing");
    cancel.replaceWith(close);
    form.addEventListener("submit", (event) => { if (event.submitter?.matches("[data-play]")) return this.write(); event.preventDefault(); if (this.dialog.open) this.send(); else this.open(); });
    $("#branch")?.addEventListener("change", () => this.compare());
    $("[data-save]").addEventListener("click", () => this.open());
  }
  open() {
    if (this.dialog.open) return true;
    $("#save-problem").replaceChildren();
    this.warn();
    this.dialog.showModal();
    $("#message").focus();
    this.compare();
    return true;
  }
  warn() {
    const errors = this.problems.errors.length;
    if (errors) this.tell([`${errors === 1 ? "There is a problem" : `There are ${errors} problems`} in what you wrote: a version can't be made of it yet.`]);
  }
  tell(texts) { $("#save-problem").replaceChildren(element("div", { class: "alert alert-danger" }, element("div", {}, ...texts.map((text) => element("p", { class: "mb-0" }, text))))); }
  body() { this.write(); return new FormData(this.form); }
  async compare() {
    const place = $("#save-difference");
    if (!place) return;
    try {
      const answer = await fetch(this.config.difference, { method: "POST", body: this.body() });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (answer.ok) place.replaceChildren(...page.body.childNodes);
    } catch { place.textContent = "No connection: the difference can't be shown."; }
  }
  async send() {
    if (this.sending) return;
    this.sending = true;
    const button = $("button[type=submit]", this.box);
    button.disabled = true;
    try {
      const answer = await fetch(this.form.action || location.href, { method: "POST", body: this.body(), headers: { Accept: "application/json" } });
      const body = await answer.json().catch(() => null);
      if (answer.ok && body) { this.draft.done(); location.assign(body.url); return; }
      const texts = Object.entries(body?.errors || {}).flatMap(([field, said]) => said.map((text) => (["branch", "new_branch", "name", "message"].includes(field) ? text : `${field}: ${text}`)));
      this.tell(texts.length ? texts : [body?.detail || `The site answered ${answer.status}.`]);
      if (body?.code === "head_moved") { $("[name=head]").value = body.head; this.compare(); }
      if (body?.errors?.name) { this.dialog.close(); $("#name").setAttribute("aria-invalid", "true"); this.draft.tell("danger", body.errors.name[0]); $("#name").focus(); }
      this.problems.check.now();
    } catch { this.tell(["No connection. What you wrote is kept in this browser; try again."]); } finally { this.sending = false; button.disabled = false; }
  }
}
