// Uploads to a draft version: several files at once, each by PUT to the REST API, with progress. Without this script the
// form beside it does the same for a browser without JavaScript.
"use strict";

(() => {
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const plain = form.querySelector("[data-upload-plain]");
  const drop = form.querySelector("[data-upload-drop]");
  const list = form.querySelector("[data-upload-list]");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const AT_ONCE = 2;
  const waiting = [];
  let running = 0;
  let failed = 0;
  let done = 0;

  plain.hidden = true;
  for (const field of plain.querySelectorAll("input, button")) field.disabled = true;
  drop.hidden = false;

  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB", "TB"];
    let unit = 0;
    while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
    return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
  };

  const line = (path, file) => {
    const item = document.createElement("li");
    const name = Object.assign(document.createElement("span"), { className: "upload-name", textContent: path });
    const bar = Object.assign(document.createElement("progress"), { max: file.size || 1, value: 0 });
    bar.setAttribute("aria-label", `Upload of ${path}`);
    const note = Object.assign(document.createElement("span"), { className: "upload-note", textContent: size(file.size) });
    const stop = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm", textContent: "Cancel" });
    item.append(name, bar, note, stop);
    list.append(item);
    return { item, bar, note, stop };
  };

  const problem = (request) => {
    try {
      const body = JSON.parse(request.responseText);
      return Object.values(body.errors || {}).flat().join(" ") || body.detail || body.title;
    } catch {
      return request.status ? `The site answered ${request.status}.` : "The connection broke off. Try again.";
    }
  };

  const send = ({ path, file, shown }) => {
    running += 1;
    const request = new XMLHttpRequest();
    const started = performance.now();
    request.open("PUT", form.dataset.upload + path.split("/").map(encodeURIComponent).join("/"));
    request.setRequestHeader("X-CSRFToken", token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      shown.bar.value = event.loaded;
      const seconds = (performance.now() - started) / 1000;
      const left = seconds > 1 ? Math.round((seconds * (event.total - event.loaded)) / event.loaded) : null;
      shown.note.textContent = `${size(event.loaded)} of ${size(event.total)}${left === null ? "" : `, ${left} s left`}`;
    });
    shown.stop.onclick = () => request.abort();
    const end = (ok, text) => {
      running -= 1;
      shown.stop.remove();
      shown.note.textContent = text;
      shown.item.className = ok ? "upload-done" : "upload-failed";
      if (ok) { done += 1; shown.bar.value = shown.bar.max; } else { failed += 1; shown.bar.remove(); }
      next();
    };
    request.addEventListener("load", () => (request.status < 300 ? end(true, `${size(file.size)}, stored`) : end(false, problem(request))));
    request.addEventListener("error", () => end(false, problem(request)));
    request.addEventListener("abort", () => end(false, "Cancelled; nothing of it was kept."));
    request.send(file);
  };

  const next = () => {
    while (running < AT_ONCE && waiting.length) send(waiting.shift());
    // The page shows what is stored now; it stays as it is while there is an error to read.
    if (!running && !waiting.length && done && !failed) window.location.reload();
    else if (!running && !waiting.length && done && !list.querySelector(".upload-refresh")) {
      const item = Object.assign(document.createElement("li"), { className: "upload-refresh" });
      item.append(Object.assign(document.createElement("a"), { href: window.location.href, textContent: "Show what was stored" }));
      list.append(item);
    }
  };

  const add = (files) => {
    for (const { path, file } of files) {
      const shown = line(path, file);
      const job = { path, file, shown };
      shown.stop.onclick = () => { waiting.splice(waiting.indexOf(job), 1); shown.item.remove(); };
      waiting.push(job);
    }
    next();
  };

  // A chosen folder's own name is left out: its contents are the version.
  const inside = (path) => path.split("/").slice(1).join("/");

  for (const input of form.querySelectorAll("[data-upload-input]")) {
    input.addEventListener("change", () => {
      add([...input.files].map((file) => ({ path: file.webkitRelativePath ? inside(file.webkitRelativePath) : file.name, file })));
      input.value = "";
    });
  }

  const walk = async (entry, prefix) => {
    if (entry.isFile) return [{ path: prefix + entry.name, file: await new Promise((ok, no) => entry.file(ok, no)) }];
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const batch = await new Promise((ok, no) => reader.readEntries(ok, no));
      if (!batch.length) return found;
      for (const child of batch) found.push(...(await walk(child, `${prefix}${entry.name}/`)));
    }
  };

  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("upload-over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("upload-over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    const alone = entries.length === 1 && entries[0].isDirectory;
    const files = (await Promise.all(entries.map((entry) => walk(entry, "")))).flat();
    add(alone ? files.map(({ path, file }) => ({ path: inside(path), file })) : files);
  });

  window.addEventListener("beforeunload", (event) => { if (running) event.preventDefault(); });
})();
