// What can stand where the cursor is: variables, filters, words, and other prompts at their labels.
const FILTERS = {
  abs: "without its sign", batch: "in groups of n", capitalize: "Like this", default: "when there is none", dictsort: "pairs, sorted", first: "the first one",
  float: "as a number", groupby: "by an attribute", indent: "each line further in", int: "as a whole number", join: "with a text between", last: "the last one",
  length: "how many", list: "as a list", lower: "like this", map: "an attribute of each", max: "the largest", min: "the smallest", reject: "without those that", replace: "one text by another",
  reverse: "from the end", round: "to n digits", select: "those that", selectattr: "those whose attribute", slice: "in n columns", sort: "sorted", string: "as text", sum: "added up",
  title: "Like This", tojson: "as JSON", trim: "without space around", truncate: "to n characters", unique: "each once", upper: "LIKE THIS", urlencode: "for an address", wordcount: "number of words",
};
const STATEMENTS = ["if", "elif", "else", "endif", "for", "endfor", "set", "include", "raw", "endraw"];
const names = new Map();

async function prompts(api, team, text) {
  const key = text.toLowerCase();
  if (!names.has(key)) {
    const answer = await fetch(`${api}prompts?limit=50&q=${encodeURIComponent(text)}`, { headers: { Accept: "application/json" } });
    if (!answer.ok) return [];
    const { results } = await answer.json();
    names.set(key, results.flatMap((row) => {
      const name = row.team === team ? row.name : `${row.team}/${row.name}`;
      const labels = [...new Set([...Object.keys(row.labels), "latest"])];
      return [...labels.map((label) => ({ label: `${name}@${label}`, detail: label === "latest" ? `v${row.latest_version}` : `v${row.labels[label]}`, type: "text" })),
        ...(row.latest_version ? [{ label: `${name}:${row.latest_version}`, detail: "pinned", type: "text" }] : [])];
    }));
    setTimeout(() => names.delete(key), 30_000);
  }
  return names.get(key);
}

// The tag that the cursor stands in: its beginning's place and sign; null in plain text.
function tag(before) {
  const open = Math.max(before.lastIndexOf("{{"), before.lastIndexOf("{%"));
  const close = Math.max(before.lastIndexOf("}}"), before.lastIndexOf("%}"));
  return open < 0 || close > open ? null : { at: open, sign: before.slice(open, open + 2), inside: before.slice(open + 2) };
}

export function completer({ api, team, variables, format }) {
  const known = (boost) => variables().map(({ name, detail }) => ({ label: name, detail, type: "variable", boost }));
  return async (context) => {
    const start = Math.max(0, context.pos - 2_000);
    const before = context.state.sliceDoc(start, context.pos);
    const here = tag(before);
    if (!here) return null;
    const from = (pattern) => context.pos - (pattern.exec(before)?.[0].length || 0);
    const include = format() === "mustache" ? /\{\{>\s*([^}]*)$/.exec(before) : /\{%-?\s*include\s+["']([^"']*)$/.exec(before);
    if (include) {
      const found = await prompts(api, team, include[1].split(/[@:]/)[0]);
      return { from: context.pos - include[1].length, options: found, validFor: /^[^"'}]*$/ };
    }
    if (format() === "mustache") {
      const name = /[\p{L}\p{N}_.-]*$/u;
      return { from: from(name), options: known(), validFor: /^[\p{L}\p{N}_.-]*$/u };
    }
    const word = /[\p{L}_][\p{L}\p{N}_]*$/u;
    const typed = word.exec(before)?.[0] || "";
    const left = here.inside.slice(0, here.inside.length - typed.length).trimEnd();
    if (/["'][^"']*$/.test(left) && (left.split(/["']/).length % 2 === 0)) return null;
    const valid = /^[\p{L}\p{N}_]*$/u;
    if (left.endsWith("|")) return { from: from(word), options: Object.entries(FILTERS).map(([label, detail]) => ({ label, detail, type: "function" })), validFor: valid };
    if (left.endsWith(".")) return null;
    if (here.sign === "{%" && /^[-+]?$/.test(left.trim())) return { from: from(word), options: STATEMENTS.map((label) => ({ label, type: "keyword" })), validFor: valid };
    if (!typed && !context.explicit && !/(\{\{|[\s(,[=])$/.test(before)) return null;
    return { from: from(word), options: [...known(1), ...["if", "else", "not", "and", "or", "in", "is defined"].map((label) => ({ label, type: "keyword" }))], validFor: valid };
  };
}
