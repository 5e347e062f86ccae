// Completion of @address in comments: people of a <datalist>, named by the textarea's data-mentions. Without this script
// the address is typed.
"use strict";
(() => {
  const MOST = 8;
  let list = null;
  let field = null;

  const people = (area) => [...(document.getElementById(area.dataset.mentions)?.options || [])].map((one) => ({ email: one.value, name: one.textContent }));
  // The @word that the caret stands in, as {start, text}.
  function word(area) {
    const before = area.value.slice(0, area.selectionStart);
    const found = /(?:^|[\s(])@([\w.+@-]*)$/.exec(before);
    return found ? { start: before.length - found[1].length - 1, text: found[1].toLowerCase() } : null;
  }
  function close() {
    list?.remove();
    field?.removeAttribute("aria-activedescendant");
    list = null;
  }
  function choose(option) {
    const at = word(field);
    if (!at) return close();
    const end = field.selectionStart;
    field.setRangeText(`@${option.dataset.email} `, at.start, end, "end");
    close();
    field.focus();
  }
  function mark(option) {
    for (const other of list.children) other.setAttribute("aria-selected", String(other === option));
    field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }
  function show(area) {
    close();
    field = area;
    const at = word(area);
    if (!at) return;
    const found = people(area).filter((one) => `${one.email} ${one.name}`.toLowerCase().includes(at.text)).slice(0, MOST);
    if (!found.length) return;
    list = Object.assign(document.createElement("div"), { className: "mention-list", id: `${area.id}-mentions` });
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "People");
    for (const [place, one] of found.entries()) {
      const option = Object.assign(document.createElement("div"), { id: `${area.id}-mention-${place}`, textContent: `${one.name} ` });
      option.setAttribute("role", "option");
      option.dataset.email = one.email;
      option.append(Object.assign(document.createElement("small"), { textContent: one.email }));
      list.append(option);
    }
    area.setAttribute("aria-controls", list.id);
    area.after(list);
    mark(list.firstChild);
  }

  document.addEventListener("input", (event) => { if (event.target.matches?.("textarea[data-mentions]")) show(event.target); });
  document.addEventListener("focusout", (event) => { if (event.target === field) setTimeout(close, 150); });
  document.addEventListener("mousedown", (event) => {
    const option = event.target.closest?.(".mention-list > div");
    if (option) { event.preventDefault(); choose(option); }
  });
  document.addEventListener("keydown", (event) => {
    if (!list || event.target !== field) return;
    const options = [...list.children];
    const at = options.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") mark(options.at((at + (event.key === "ArrowDown" ? 1 : -1)) % options.length));
    else if (event.key === "Enter" || event.key === "Tab") choose(options[at]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
})();
