// Uploads to a draft version: many files and folders, large ones in parts, three requests at a time, paused and resumed, also after
// a reload: an upload's id is kept with the file's path, size and date, and the site says which parts it has. Without this script the
// form beside it does the same for a browser without JavaScript.
"use strict";

(() => {
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const part = (name) => form.querySelector(`[data-upload-${name}]`);
  const [plain, drop, list, total] = [part("plain"), part("drop"), part("list"), part("total")];
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const AT_ONCE = 3;
  const WHOLE = 8 * 2 ** 20; // up to here a file goes in one request
  const TRIES = 5;
  const KEPT = `upload ${form.dataset.upload} `;
  const jobs = [];
  const running = new Set();
  let paused = false;
  let direct = true; // parts may go to the bucket by themselves
  let began = 0;
  let sentBefore = 0;

  plain.hidden = true;
  for (const field of plain.querySelectorAll("input, button")) field.disabled = true;
  drop.hidden = false;

  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB", "TB"];
    let unit = 0;
    while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
    return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
  };
  const span = (seconds) => (seconds < 90 ? `${Math.ceil(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);
  const make = (tag, fields) => Object.assign(document.createElement(tag), fields);
  const kept = (job) => { try { return JSON.parse(localStorage.getItem(KEPT + job.path)); } catch { return null; } };
  const keep = (job, id) => {
    try { id ? localStorage.setItem(KEPT + job.path, JSON.stringify({ id, size: job.file.size, date: job.file.lastModified })) : localStorage.removeItem(KEPT + job.path); } catch { /* private windows keep nothing */ }
  };

  // One request; gives {status, body, broke}. `onsent` hears how many bytes of the body have left.
  const send = (method, address, body, { json = false, foreign = false, onsent, running: known } = {}) => new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    if (!foreign) request.setRequestHeader("X-CSRFToken", token);
    if (json) request.setRequestHeader("Content-Type", "application/json");
    else if (body && !foreign) request.setRequestHeader("Content-Type", "application/octet-stream");
    if (onsent) request.upload.addEventListener("progress", (event) => onsent(event.loaded));
    const end = (broke) => {
      known?.delete(request);
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* not ours to read */ }
      resolve({ status: request.status, body: answer, broke });
    };
    request.addEventListener("load", () => end(""));
    request.addEventListener("error", () => end("network"));
    request.addEventListener("abort", () => end("abort"));
    known?.add(request);
    request.send(json && body ? JSON.stringify(body) : body);
  });

  const reason = ({ status, body }) =>
    Object.values(body.errors || {}).flat().join(" ") || body.detail || body.title ||
    (status ? `The site answered ${status}.` : "The connection broke off.");
  const isBusy = ({ body }) => (body.type || "").endsWith(":part_in_flight");
  const passes = (answer) => answer.broke === "network" || answer.status >= 500 && answer.status !== 507 || isBusy(answer);

  const address = (path) => form.dataset.upload + path.split("/").map(encodeURIComponent).join("/");

  const line = (job) => {
    const item = make("li");
    const bar = make("progress", { max: job.file.size || 1, value: 0 });
    bar.setAttribute("aria-label", `Upload of ${job.path}`);
    const note = make("span", { className: "upload-note", textContent: `${size(job.file.size)}, waiting` });
    const again = make("button", { type: "button", className: "btn btn-sm", textContent: "Try again", hidden: true });
    const stop = make("button", { type: "button", className: "btn btn-sm", textContent: "Cancel" });
    stop.setAttribute("aria-label", `Cancel ${job.path}`);
    again.onclick = () => { job.state = "waiting"; again.hidden = true; item.className = ""; job.tries = 0; next(); };
    stop.onclick = () => cancel(job);
    const buttons = make("span", { className: "upload-acts" });
    buttons.append(again, stop);
    item.append(make("span", { className: "upload-name", textContent: job.path }), bar, note, buttons);
    list.append(item);
    return { item, bar, note, again, stop };
  };

  const sent = (job) => job.done + [...job.flying.values()].reduce((sum, bytes) => sum + bytes, 0);

  const show = (job, text) => {
    const bytes = Math.min(sent(job), job.file.size);
    job.shown.bar.value = job.state === "done" ? job.shown.bar.max : bytes;
    job.shown.note.textContent = text || `${size(bytes)} of ${size(job.file.size)}`;
    sum();
  };

  // The line above the list: files, bytes, rate and the time that is left.
  const sum = () => {
    const open = jobs.filter((job) => job.state !== "cancelled");
    const whole = open.reduce((all, job) => all + job.file.size, 0);
    const there = open.reduce((all, job) => all + (job.state === "done" ? job.file.size : Math.min(sent(job), job.file.size)), 0);
    total.hidden = !open.length;
    total.querySelector("progress").max = whole || 1;
    total.querySelector("progress").value = there;
    const seconds = (performance.now() - began) / 1000;
    const rate = began && seconds > 1 ? (there - sentBefore) / seconds : 0;
    const ready = open.filter((job) => job.state === "done").length;
    const failed = open.filter((job) => job.state === "failed").length;
    let text = `${ready} of ${open.length} file${open.length === 1 ? "" : "s"}, ${size(there)} of ${size(whole)}`;
    if (failed) text += `, ${failed} failed`;
    if (paused) text += ", paused";
    else if (rate > 0 && there < whole && running.size) text += `, ${size(rate)}/s, ${span((whole - there) / rate)} left`;
    total.querySelector("[data-upload-sum]").textContent = text;
    total.querySelector("[data-upload-pause]").hidden = !open.some((job) => ["waiting", "sending"].includes(job.state));
  };

  const fail = (job, text) => {
    job.state = "failed";
    for (const request of job.requests) request.abort();
    job.shown.item.className = "upload-failed";
    job.shown.again.hidden = false;
    show(job, text);
    next();
  };

  const cancel = async (job) => {
    job.state = "cancelled";
    for (const request of [...job.requests]) request.abort();
    keep(job, null);
    job.shown.item.remove();
    next();
    if (job.upload) await send("DELETE", `/api/v1/uploads/${job.upload}`);
  };

  const finish = (job) => {
    job.state = "done";
    keep(job, null);
    job.shown.item.className = "upload-done";
    job.shown.stop.remove();
    show(job, `${size(job.file.size)}, stored`);
  };

  // Where a large file stands: begun now, or taken up where it was left.
  const begin = async (job) => {
    const before = kept(job);
    if (before && before.size === job.file.size && before.date === job.file.lastModified) {
      const found = await send("GET", `/api/v1/uploads/${before.id}`);
      if (found.status === 200) return found;
    }
    return send("POST", "/api/v1/uploads", { team: form.dataset.team, size: job.file.size }, { json: true });
  };

  const plan = async (job) => {
    job.parts = null;
    const found = await begin(job);
    if (job.state !== "sending") return;
    if (found.status >= 300 || found.broke) return fail(job, reason(found));
    job.upload = found.body.id;
    job.partSize = found.body.part_size;
    keep(job, job.upload);
    job.done = found.body.parts.filter((one) => one.there).reduce((all, one) => all + one.size, 0);
    if (job.done) sentBefore += job.done;
    job.parts = found.body.parts.filter((one) => !one.there);
    job.left = job.parts.length;
    show(job);
    if (!job.left) await store(job);
  };

  const store = async (job) => {
    job.state = "storing";
    show(job, "Checking…");
    // The site hashes the whole: where that takes longer than a request may, it is asked again, and does it once.
    let answer = await send("POST", `/api/v1/uploads/${job.upload}/complete`);
    for (let ask = 0; passes(answer) && ask < (isBusy(answer) ? 600 : TRIES) && job.state === "storing"; ask += 1) {
      await new Promise((ready) => setTimeout(ready, 1000));
      answer = await send("POST", `/api/v1/uploads/${job.upload}/complete`);
    }
    if (answer.status < 300 && !answer.broke) answer = await send("POST", form.dataset.upload.replace(/\/$/, ""), { path: job.path, upload: job.upload }, { json: true });
    if (job.state === "cancelled") return;
    answer.status < 300 && !answer.broke ? finish(job) : fail(job, reason(answer));
  };

  const putPart = async (job, one) => {
    const from = (one.number - 1) * job.partSize;
    const body = job.file.slice(from, from + one.size);
    const own = `/api/v1/uploads/${job.upload}/parts/${one.number}`;
    const foreign = direct && one.url && !one.url.includes(own);
    const onsent = (bytes) => { job.flying.set(one.number, bytes); show(job); };
    const answer = await send("PUT", foreign ? one.url : own, body, { foreign, onsent, running: job.requests });
    job.flying.delete(one.number);
    if (!["sending"].includes(job.state)) { job.parts.unshift(one); return; }
    if (answer.broke === "abort") { job.parts.unshift(one); return; }
    if (answer.status >= 200 && answer.status < 300) {
      job.done += one.size;
      job.left -= 1;
      job.tries = 0;
      show(job);
      if (!job.left) await store(job);
      return;
    }
    job.parts.unshift(one);
    if (foreign && answer.broke === "network") { direct = false; return; } // the bucket lets no browser in: by way of the site
    if (!passes(answer) || (job.tries += 1) >= TRIES) return fail(job, reason(answer));
    show(job, `${reason(answer)} Trying again…`);
    await new Promise((ready) => setTimeout(ready, 500 * 2 ** job.tries));
  };

  const putWhole = async (job) => {
    const onsent = (bytes) => { job.flying.set(0, bytes); show(job); };
    const answer = await send("PUT", address(job.path), job.file, { onsent, running: job.requests });
    job.flying.clear();
    if (job.state !== "sending") return;
    if (answer.broke === "abort") { job.state = "waiting"; return; }
    if (answer.status >= 200 && answer.status < 300 && !answer.broke) { job.done = job.file.size; finish(job); return; }
    if (!passes(answer) || (job.tries += 1) >= TRIES) return fail(job, reason(answer));
    show(job, `${reason(answer)} Trying again…`);
    await new Promise((ready) => setTimeout(ready, 500 * 2 ** job.tries));
    if (job.state === "sending") job.state = "waiting";
  };

  // What to do next: a part of a file that is under way, else the next file.
  const pick = () => {
    const open = jobs.find((job) => job.state === "sending" && job.parts?.length);
    if (open) { const one = open.parts.shift(); return () => putPart(open, one); }
    const job = jobs.find((each) => each.state === "waiting");
    if (!job) return null;
    job.state = "sending";
    return () => (job.file.size > WHOLE ? plan(job) : putWhole(job));
  };

  const next = () => {
    if (!began && jobs.some((job) => job.state === "waiting")) { began = performance.now(); sentBefore = 0; }
    let act;
    while (!paused && running.size < AT_ONCE && (act = pick())) {
      const task = act().catch((error) => console.error(error)).finally(() => { running.delete(task); next(); });
      running.add(task);
    }
    sum();
    if (!running.size && !paused && jobs.length && jobs.every((job) => ["done", "failed", "cancelled"].includes(job.state))) ended();
  };

  // The page shows what is stored now; it stays as it is while there is an error to read.
  const ended = () => {
    const stored = jobs.some((job) => job.state === "done");
    const failed = jobs.some((job) => job.state === "failed");
    began = 0;
    if (stored && !failed) window.location.reload();
    else if (stored && !list.querySelector(".upload-refresh")) {
      const item = make("li", { className: "upload-refresh" });
      item.append(make("a", { href: window.location.href, textContent: "Show what was stored" }));
      list.append(item);
    }
  };

  part("pause").addEventListener("click", ({ target }) => {
    paused = !paused;
    target.textContent = paused ? "Resume" : "Pause";
    if (paused) for (const job of jobs) for (const request of [...job.requests]) request.abort();
    else { began = 0; next(); if (!began) began = performance.now(); sentBefore = jobs.reduce((all, job) => all + (job.state === "done" ? job.file.size : sent(job)), 0); }
    sum();
  });

  const add = (files) => {
    for (const { path, file } of files) {
      const old = jobs.find((job) => job.path === path && job.state !== "done");
      if (old) continue;
      const job = { path, file, state: "waiting", done: 0, flying: new Map(), requests: new Set(), tries: 0, parts: null };
      job.shown = line(job);
      jobs.push(job);
    }
    left.forEach((item, path) => { if (jobs.some((job) => job.path === path)) item.remove(); });
    next();
  };

  // What was begun before this page was loaded: the same file, chosen again, goes on where it was.
  const left = new Map();
  for (const key of Object.keys(localStorage).filter((name) => name.startsWith(KEPT))) {
    const path = key.slice(KEPT.length);
    const job = { path, file: { size: 0 } };
    const before = kept(job);
    if (!before) continue;
    const item = make("li", { className: "upload-left" });
    const forget = make("button", { type: "button", className: "btn btn-sm", textContent: "Give up" });
    forget.setAttribute("aria-label", `Give up ${path}`);
    forget.onclick = () => { keep(job, null); item.remove(); send("DELETE", `/api/v1/uploads/${before.id}`); };
    item.append(make("span", { className: "upload-name", textContent: path }), make("span", { className: "upload-note", textContent: `${size(before.size)}, interrupted. Choose the file again to go on.` }), forget);
    list.append(item);
    left.set(path, item);
  }

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

  window.addEventListener("beforeunload", (event) => { if (running.size) event.preventDefault(); });
})();
