// Draws the OpenAPI document: operations by tag, each with parameters, shapes of body and answers, and a curl that works.
"use strict";
(async () => {
  const root = document.getElementById("api");
  const list = document.getElementById("api-list");
  const site = root.dataset.site;
  const METHODS = ["get", "post", "put", "patch", "delete", "head"];

  // el("p.note", {title}, "text", child, …)
  function el(selector, attributes = {}, ...children) {
    const [tag, ...classes] = selector.split(".");
    const node = document.createElement(tag);
    if (classes.length) node.className = classes.join(" ");
    for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
    node.append(...children.filter((child) => child != null && child !== ""));
    return node;
  }
  // `code` in descriptions
  const prose = (text) => (text || "").split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));

  let document_;
  try {
    const answer = await fetch(root.dataset.source, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    document_ = await answer.json();
  } catch (error) {
    list.replaceChildren(el("div.alert.alert-danger", { role: "alert" }, `The API's document could not be read (${error.message}). Reload the page to try again.`));
    return;
  }
  const schemas = document_.components.schemas;
  const follow = (schema) => {
    while (schema?.$ref) schema = schemas[schema.$ref.split("/").pop()];
    if (schema?.allOf?.length === 1) return { ...follow(schema.allOf[0]), ...schema, allOf: undefined };
    return schema || {};
  };

  function typeOf(schema) {
    schema = follow(schema);
    if (schema.enum) return schema.enum.filter((value) => value !== null && value !== "").map((value) => JSON.stringify(value)).join(" | ");
    for (const union of ["oneOf", "anyOf"]) if (schema[union]) return schema[union].map(typeOf).filter(Boolean).join(" | ");
    const kinds = [schema.type ?? (schema.properties ? "object" : "any")].flat().filter((kind) => kind !== "null");
    const name = kinds.map((kind) => kind === "array" ? `${typeOf(schema.items)}[]` : kind === "string" && schema.format ? schema.format : kind).join(" | ");
    return [schema.type].flat().includes("null") ? `${name} or null` : name;
  }
  function inside(schema, depth = 0) {
    schema = follow(schema);
    const union = (schema.oneOf || schema.anyOf || []).map(follow).find((one) => one.properties || one.items);
    if (union) return inside(union, depth);
    if ([schema.type].flat().includes("array")) return inside(schema.items, depth);
    return depth < 5 && schema.properties ? fields(schema, depth) : null;
  }
  function limits(schema) {
    const words = [];
    if (schema.minimum != null) words.push(`at least ${schema.minimum}`);
    if (schema.maximum != null && schema.maximum < 1e15) words.push(`at most ${schema.maximum}`);
    if (schema.maxLength) words.push(`at most ${schema.maxLength} characters`);
    if (schema.default !== undefined && schema.default !== null) words.push(`${JSON.stringify(schema.default)} when left out`);
    return words.join(", ");
  }
  function fields(schema, depth = 0) {
    return el("ul.api-fields", {}, ...Object.entries(schema.properties).map(([name, value]) => {
      const known = { ...follow(value), ...value };
      const note = known.description || "";
      const bounds = limits(known);
      return el("li", {}, el("code", {}, name), " ", el("span.api-type", {}, typeOf(value)), " ",
        schema.required?.includes(name) ? el("span.api-required", {}, "required") : "",
        note || bounds ? el("p.api-note", {}, ...prose(note), note && bounds ? " " : "", bounds ? `(${bounds})` : "") : "", inside(value, depth + 1));
    }));
  }

  function sample(schema, name = "", depth = 0) {
    schema = follow(schema);
    if (schema.examples?.length) return schema.examples[0];
    if (schema.example !== undefined) return schema.example;
    if (schema.default !== undefined && schema.default !== null) return schema.default;
    if (schema.enum) return schema.enum.find((value) => value) ?? null;
    for (const union of ["oneOf", "anyOf"]) if (schema[union]) return sample(schema[union][0], name, depth);
    const kind = [schema.type].flat().find((one) => one && one !== "null");
    if (schema.properties && depth < 6) return Object.fromEntries(Object.entries(schema.properties).filter(([, value]) => !follow(value).writeOnly || depth === 0).map(([key, value]) => [key, sample(value, key, depth + 1)]));
    if (kind === "array") return depth < 6 ? [sample(schema.items, name, depth + 1)] : [];
    if (kind === "integer") return 1;
    if (kind === "number") return 0.95;
    if (kind === "boolean") return true;
    if (kind === "object") return {};
    if (schema.format === "date-time") return "2026-01-31T09:30:00Z";
    if (schema.format === "email") return "alice@example.com";
    if (name === "team") return "acme";
    if (/digest/.test(name)) return "sha256:…";
    if (["model", "asset", "dataset"].includes(name)) return `acme/${name === "dataset" ? "dates" : "date-normaliser"}`;
    return "…";
  }
  const json = (value) => JSON.stringify(value, null, 2);

  function bodyOf(operation) {
    const content = operation.requestBody?.content || {};
    const [kind, body] = Object.entries(content)[0] || [];
    if (!kind) return null;
    const given = Object.values(body.examples || {})[0]?.value ?? body.example;
    return { kind, schema: body.schema, binary: !/json/.test(kind), sample: given ?? sample(body.schema) };
  }
  function curl(method, path, operation) {
    const names = { team: "acme", name: "date-normaliser", number: "1", version: "1", alias: "production", label: "production", path: "model.safetensors", email: "bob@example.com", role: "reviewer" };
    const filled = path.replace(/\{(\w+)\}/g, (_, name) => names[name] ?? "1");
    const lines = [`curl ${method === "get" ? "" : method === "head" ? "-I " : `-X ${method.toUpperCase()} `}"${site}${filled}"`, `  -H "Authorization: Bearer $COUNTERSIGN_API_KEY"`];
    const body = bodyOf(operation);
    if (body?.binary) lines.push(`  --data-binary "@${names.path}"`);
    else if (body) lines.push(`  -H "Content-Type: application/json"`, `  -d '${json(body.sample).replace(/'/g, "'\\''")}'`);
    return lines.join(" \\\n");
  }
  function copied(text, label) {
    const button = el("button.copy", { type: "button", "data-copy": text, "aria-label": label, title: label });
    const use = (name, css) => { const holder = document.createElement("template"); holder.innerHTML = `<svg class="icon ${css}" aria-hidden="true"><use href="${document.querySelector(".icon use").getAttribute("href").split("#")[0]}#${name}"></use></svg>`; return holder.content; };
    button.append(use("copy", "copy-idle"), use("check", "copy-done"));
    return el("div.snippet", {}, el("pre", { tabindex: "0" }, el("code", {}, text)), button);
  }

  function parameters(operation) {
    const groups = [["Path", "path"], ["Query", "query"], ["Headers", "header"]];
    return groups.flatMap(([title, place]) => {
      const found = (operation.parameters || []).filter((one) => one.in === place);
      return found.length ? [el("h4", {}, title), el("ul.api-fields", {}, ...found.map((one) => el("li", {}, el("code", {}, one.name), " ", el("span.api-type", {}, typeOf(one.schema)), " ", one.required ? el("span.api-required", {}, "required") : "", one.description ? el("p.api-note", {}, ...prose(one.description)) : "")))] : [];
    });
  }
  function responses(operation) {
    return el("div.api-responses", {}, ...Object.entries(operation.responses).map(([code, response]) => {
      const [kind, content] = Object.entries(response.content || {})[0] || [];
      const head = [el(`span.api-code.api-code-${code[0]}`, {}, code), " ", ...prose(response.description || (content && /json/.test(kind) ? "" : kind ? kind : "no body"))];
      const shape = content && /json/.test(kind) ? inside(content.schema) : null;
      return shape ? el("details", code[0] === "2" ? { open: "" } : {}, el("summary", {}, ...head), shape) : el("p.api-note", {}, ...head);
    }));
  }
  function fill(holder, method, path, operation) {
    if (holder.childElementCount) return;
    const body = bodyOf(operation);
    holder.append(
      el("div", {}, operation.description || operation.summary ? el("p", {}, ...prose(operation.description || operation.summary)) : "", ...parameters(operation),
        ...(body ? [el("h4", {}, "Body"), inside(body.schema) || el("p.api-note", {}, body.kind)] : []), el("h4", {}, "Answers"), responses(operation)),
      el("div", {}, el("h4", {}, "Example"), copied(curl(method, path, operation), "Copy command"),
        ...Object.entries(operation.responses).filter(([code, response]) => code[0] === "2" && response.content?.["application/json"]).slice(0, 1)
          .flatMap(([, response]) => [el("h4", {}, "Answer"), el("pre", { tabindex: "0" }, el("code", {}, json(sample(response.content["application/json"].schema))))])));
  }

  const tags = new Map((document_.tags || []).map((tag) => [tag.name, { note: tag.description, operations: [] }]));
  for (const [path, operations] of Object.entries(document_.paths)) {
    for (const method of METHODS) {
      const operation = operations[method];
      if (operation) {
        const name = operation.tags?.[0] || "Other";
        if (!tags.has(name)) tags.set(name, { note: "", operations: [] });
        tags.get(name).operations.push({ method, path, operation });
      }
    }
  }
  const index = document.getElementById("api-index");
  const drawn = [];
  list.replaceChildren(...[...tags].filter(([, tag]) => tag.operations.length).map(([name, tag]) => {
    const id = `tag-${name.toLowerCase()}`;
    index.append(el("a", { href: `#${id}` }, name, el("span.count", {}, String(tag.operations.length))));
    return el("section.api-tag", { id, "aria-label": name }, el("h2", {}, name), tag.note ? el("p", {}, tag.note) : "",
      el("div", {}, ...tag.operations.map(({ method, path, operation }) => {
        const holder = el("div.api-body");
        const details = el("details.api-op", { id: operation.operationId },
          el("summary", {}, el(`span.api-method.api-${method}`, {}, method.toUpperCase()), el("code", {}, path.replace("/api/v1", "")), el("span.api-what", {}, (operation.summary || operation.description || "").split(/(?<=\.) |\n/)[0].replace(/`/g, ""))), holder);
        details.unfold = () => fill(holder, method, path, operation);
        details.addEventListener("toggle", () => { if (details.open) { details.unfold(); history.replaceState(null, "", `#${operation.operationId}`); } });
        drawn.push({ details, text: `${name} ${method} ${path} ${operation.operationId} ${operation.summary || ""} ${operation.description || ""}`.toLowerCase() });
        return details;
      })));
  }));

  document.getElementById("api-filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const one of drawn) one.details.hidden = !words.every((word) => one.text.includes(word));
    for (const section of list.children) section.hidden = ![...section.querySelectorAll(".api-op")].some((one) => !one.hidden);
  });
  function unfold() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target?.matches(".api-op")) { target.unfold(); target.open = true; }
    target?.scrollIntoView();
  }
  addEventListener("hashchange", unfold);
  if (location.hash) unfold();
})();
