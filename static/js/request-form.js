// The form of a request shows only the field that the chosen 'when' needs, and times that are written in UTC also in the
// browser's own zone. Without this script all fields are there, and the server looks only at what the choice needs.
"use strict";
(() => {
  function showWhen() {
    const form = document.querySelector("[data-request-form]");
    if (!form) return;
    // Prompts have no evaluations.
    const evaluation = form.querySelector("[name=when][value=evaluation]");
    const none = form.querySelector("[name=kind]")?.value === "prompt";
    if (evaluation) evaluation.closest("label").hidden = none;
    if (none && evaluation?.checked) form.querySelector("[name=when]").checked = true;
    const chosen = form.querySelector("[name=when]:checked")?.value;
    for (const part of form.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== chosen;
  }
  function showLocal(field) {
    let note = field.parentElement.querySelector(".local-time");
    if (!note) {
      note = Object.assign(document.createElement("div"), { className: "form-hint local-time" });
      note.setAttribute("role", "status");
      field.after(note);
    }
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "this browser's zone";
    const moment = field.value ? new Date(`${field.value}Z`) : new Date();
    if (Number.isNaN(moment.getTime())) return note.replaceChildren();
    const text = moment.toLocaleString(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    note.textContent = field.value ? `That is ${text} in ${zone}.` : `It is ${new Date().toISOString().slice(11, 16)} UTC now, ${text} in ${zone}.`;
  }
  document.addEventListener("change", (event) => { if (["when", "kind"].includes(event.target.name)) showWhen(); });
  document.addEventListener("input", (event) => { if (event.target.matches?.("[data-utc]")) showLocal(event.target); });
  document.addEventListener("DOMContentLoaded", () => {
    showWhen();
    for (const field of document.querySelectorAll("[data-utc]")) showLocal(field);
  });
})();
