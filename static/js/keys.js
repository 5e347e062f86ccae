// The keyboard, and the palette on Ctrl-K: everything it finds is also at /search and in the navigation.
"use strict";
(() => {
  const palette = () => document.getElementById("palette");
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");
  let commands = null;
  let timer;
  let asked = 0;

  function openPalette(text = "") {
    const dialog = palette();
    if (!dialog || dialog.open) return;
    document.getElementById("sidebar")?.matches(":popover-open") && document.getElementById("sidebar").hidePopover();
    dialog.showModal();
    const field = dialog.querySelector("input");
    field.value = text;
    field.focus();
    show(text);
  }

  // Where one can go, read from the navigation itself.
  function places() {
    commands ??= [
      ...[...document.querySelectorAll(".sidebar-nav a")].map((link) => ({
        title: link.querySelector("span").textContent, address: link.getAttribute("href"),
        icon: link.querySelector("use")?.getAttribute("href").split("#")[1], note: link.dataset.go ? `g ${link.dataset.go}` : "",
      })),
      { title: "API keys", address: "/settings/keys/", icon: "key", note: "" },
      { title: "API documentation", address: "/api/docs", icon: "api", note: "" },
      { title: "Light theme", theme: "light", icon: "sun", note: "" },
      { title: "Dark theme", theme: "dark", icon: "moon", note: "" },
      { title: "Theme of the system", theme: "auto", icon: "device-desktop", note: "" },
    ];
    return commands;
  }

  const sprite = () => document.querySelector(".sidebar-nav use").getAttribute("href").split("#")[0];
  function row(item, place) {
    const link = document.createElement("a");
    link.className = "palette-item";
    link.id = `palette-${place}`;
    link.setAttribute("role", "option");
    link.tabIndex = -1;
    if (item.address) link.href = item.address; else link.dataset.choose = item.theme;
    link.innerHTML = `<svg class="icon" aria-hidden="true"><use href="${sprite()}#${item.icon || "arrow-right"}"></use></svg><span></span><small></small>`;
    link.querySelector("span").textContent = item.title;
    link.querySelector("small").textContent = item.note || "";
    return link;
  }
  function group(title, items, list) {
    if (!items.length) return;
    const head = Object.assign(document.createElement("p"), { className: "palette-group", textContent: title });
    head.setAttribute("role", "presentation");
    list.append(head, ...items.map((item, place) => row(item, list.children.length + place)));
  }
  function choose(link) {
    const list = document.getElementById("palette-results");
    for (const other of list.querySelectorAll("[aria-selected]")) other.removeAttribute("aria-selected");
    const field = palette().querySelector("input");
    if (!link) return field.removeAttribute("aria-activedescendant");
    link.setAttribute("aria-selected", "true");
    link.scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", link.id);
  }
  function draw(text, found) {
    const list = document.getElementById("palette-results");
    list.replaceChildren();
    const words = text.toLowerCase();
    for (const part of found) group(part.title, part.items, list);
    group("Go to", places().filter((item) => item.title.toLowerCase().includes(words)), list);
    if (!list.children.length) list.append(Object.assign(document.createElement("p"), { className: "palette-none", textContent: `Nothing found for “${text}”.` }));
    choose(list.querySelector(".palette-item"));
  }
  function show(text) {
    text = text.trim();
    clearTimeout(timer);
    if (!text) { asked += 1; return draw("", []); }
    const mine = ++asked;
    timer = setTimeout(async () => {
      try {
        const answer = await fetch(`/search?q=${encodeURIComponent(text)}`, { headers: { Accept: "application/json" } });
        const found = answer.ok ? (await answer.json()).groups : [];
        if (mine === asked) draw(text, found);
      } catch { if (mine === asked) draw(text, []); }
    }, 90);
  }

  document.addEventListener("input", (event) => { if (event.target.closest("#palette")) show(event.target.value); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-choose]");
    if (link) { window.countersignTheme.choose(link.dataset.choose); palette().close(); document.dispatchEvent(new Event("themechosen")); }
    if (event.target.closest("[data-palette-open]")) { event.preventDefault(); event.target.blur(); openPalette(); }
  });
  document.addEventListener("keydown", (event) => {
    if (!event.target.closest?.("#palette")) return;
    const items = [...document.querySelectorAll("#palette-results .palette-item")];
    const at = items.findIndex((item) => item.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      choose(items.at((at + (event.key === "ArrowDown" ? 1 : -1)) % items.length));
      event.preventDefault();
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      items[at].click();
    }
  });

  // g then a letter goes to a section; the letter has a second to come.
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") { event.preventDefault(); return openPalette(); }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (Date.now() - going < 1000) {
      going = 0;
      const link = event.key === "h" ? document.querySelector(".brand") : document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    if (event.key === "g") going = Date.now();
    else if (event.key === "/") { event.preventDefault(); openPalette(); }
    else if (event.key === "?") document.getElementById("keyboard-help")?.showModal();
    else if (event.key === "f") { const field = document.querySelector("[data-filter-search]"); if (field) { event.preventDefault(); field.focus(); } }
    else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
    else if (event.key === "Enter" && event.target === document.body) document.querySelector("tr.is-at a[href]")?.click();
  });
  function step(by) {
    const rows = [...document.querySelectorAll("main .table tbody tr:has(a[href])")];
    if (!rows.length) return;
    const at = rows.findIndex((one) => one.classList.contains("is-at"));
    rows[at]?.classList.remove("is-at");
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    next.classList.add("is-at");
    next.scrollIntoView({ block: "nearest" });
  }
})();
