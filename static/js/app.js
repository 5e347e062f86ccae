// What every page needs, by event delegation so that swapped-in parts need no setting up.
"use strict";

// Copy buttons
async function copyText(text) {
  if (navigator.clipboard && isSecureContext) return navigator.clipboard.writeText(text);
  const area = Object.assign(document.createElement("textarea"), { value: text });
  area.style.position = "fixed";
  (document.querySelector("dialog[open]") || document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  await copyText(button.dataset.copy);
  button.classList.add("is-copied");
  announce("Copied");
  setTimeout(() => button.classList.remove("is-copied"), 1400);
});

// A live region for what happens without a page change
function announce(text) {
  let region = document.getElementById("announcer");
  if (!region) {
    region = Object.assign(document.createElement("div"), { id: "announcer", className: "visually-hidden" });
    region.setAttribute("aria-live", "polite");
    document.body.append(region);
  }
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text; });
}

// Menus are <details class="menu">: one open at a time, closed by Escape or a click elsewhere
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (!menu) return;
  if (event.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
    event.stopPropagation();
  } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const items = [...menu.querySelectorAll("a, button")].filter((item) => item.offsetParent);
    const at = items.indexOf(document.activeElement);
    items.at((at + (event.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1)) % items.length)?.focus();
    event.preventDefault();
  }
});

// Where tabs scroll, the open one is in sight
for (const tabs of document.querySelectorAll(".tabs")) {
  const open = tabs.querySelector("[aria-current]");
  if (open && tabs.scrollWidth > tabs.clientWidth) {
    const box = open.getBoundingClientRect(), frame = tabs.getBoundingClientRect();
    tabs.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
  }
}

// Dialogs: `command`/`commandfor` does it in new browsers, this in the others
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog-open]");
  if (opener) {
    const dialog = document.getElementById(opener.dataset.dialogOpen);
    if (dialog && !dialog.open) dialog.showModal();
    opener.closest("details.menu")?.removeAttribute("open");
    return;
  }
  if (event.target.closest("[data-dialog-close]")) event.target.closest("dialog")?.close();
  if (event.target.matches("dialog[open]")) {
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
});

// Toasts leave by themselves, errors stay
const TOAST_MS = 6000;
function watchToasts() {
  for (const toast of document.querySelectorAll("[data-toast]:not([data-seen])")) {
    toast.dataset.seen = "";
    if (!toast.classList.contains("toast-error")) setTimeout(() => toast.remove(), TOAST_MS);
  }
}
document.addEventListener("click", (event) => event.target.closest("[data-toast-close]")?.closest("[data-toast]").remove());

// Relative times stay true while a page is open
const UNITS = [["minute", 60, 3600], ["hour", 3600, 86400], ["day", 86400, 2592000]];
function relative(moment) {
  let seconds = Math.trunc((Date.now() - moment) / 1000);
  const ahead = seconds < 0;
  seconds = Math.abs(seconds);
  if (seconds < 45) return ahead ? "in a moment" : "just now";
  for (const [unit, size, limit] of UNITS) {
    if (seconds < limit - Math.floor(size / 2)) {
      const count = Math.max(1, Math.round(seconds / size));
      const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
      return ahead ? `in ${words}` : `${words} ago`;
    }
  }
  return null;
}
function refreshTimes() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = relative(Date.parse(time.dateTime));
    if (text && time.textContent !== text) time.textContent = text;
  }
}
setInterval(refreshTimes, 20000);

// Theme
function showTheme() {
  for (const button of document.querySelectorAll("[data-theme]")) button.setAttribute("aria-checked", String(button.dataset.theme === window.countersignTheme.chosen()));
}
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-theme]");
  if (!button) return;
  window.countersignTheme.choose(button.dataset.theme);
  showTheme();
});

// Filters apply by themselves; the button is for those without JavaScript
document.documentElement.classList.add("js");
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-filters]");
  if (form && !event.target.matches("[data-filter-search]")) form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-filters]");
  if (form) for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  // Pressing twice does a thing once.
  const button = event.submitter;
  if (button && event.target.method === "post" && !event.target.matches("[hx-post]")) setTimeout(() => { button.disabled = true; setTimeout(() => { button.disabled = false; }, 4000); });
});
// The back button finds the fields as they were.
addEventListener("pageshow", () => { for (const field of document.querySelectorAll("form[data-filters] :disabled")) field.disabled = false; });

// The line at the top while something loads
let running = 0;
let bar;
function busy(step) {
  running = Math.max(0, running + step);
  clearTimeout(bar);
  const line = document.getElementById("loading");
  if (running) bar = setTimeout(() => line?.classList.add("is-loading"), 100);
  else line?.classList.remove("is-loading");
}
// Parts that poll stay silent.
const polls = (event) => (event.target.closest?.("[hx-trigger]")?.getAttribute("hx-trigger") || "").includes("every");
document.addEventListener("htmx:before:request", (event) => { if (!polls(event)) busy(1); });
document.addEventListener("htmx:finally:request", (event) => { if (!polls(event)) busy(-1); });
document.addEventListener("htmx:after:swap", () => { watchToasts(); refreshTimes(); reachScrollers(); });
document.addEventListener("htmx:response:error", () => announce("That did not work. The page says why."));

document.addEventListener("DOMContentLoaded", () => { watchToasts(); showTheme(); refreshTimes(); });
if (document.readyState !== "loading") { watchToasts(); showTheme(); }

// What scrolls sideways can be reached and scrolled by keyboard; what fits is no stop on the way.
function reachScrollers() {
  for (const box of document.querySelectorAll(".table-responsive, pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
addEventListener("resize", reachScrollers);
document.addEventListener("toggle", reachScrollers, true);
reachScrollers();
