// The playground: Ctrl-Enter runs, and a column's own fields hide while it names a prompt.
"use strict";

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  const form = event.target.closest?.("[data-play-form]") || document.querySelector("[data-play-form]");
  if (!form) return;
  event.preventDefault();
  form.requestSubmit(form.querySelector("button[name=do][value=run]"));
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-play-prompt]")) return;
  const own = event.target.closest(".play-column").querySelector(".play-own");
  own.hidden = event.target.value.trim() !== "";
});
