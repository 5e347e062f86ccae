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
  if (!event.target.matches("[data-play-prompt], [data-play-version]")) return;
  const column = event.target.closest(".play-column");
  const named = column.querySelector("[data-play-prompt]").value.trim() !== "" && column.querySelector("[data-play-version]").value.trim() !== "unsaved";
  column.querySelector(".play-own").hidden = named;
});
