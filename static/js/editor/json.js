// JSON as somebody writes it: where it is not JSON, and where in it a path stands.
export function read(text) {
  if (!text.trim()) return { value: null };
  try { return { value: JSON.parse(text) }; } catch (error) {
    const at = / position (\d+)/.exec(error.message);
    const row = /line (\d+) column (\d+)/.exec(error.message);
    let place = text.length;
    if (at) place = Number(at[1]);
    else if (row) place = text.split("\n").slice(0, row[1] - 1).reduce((sum, line) => sum + line.length + 1, 0) + Number(row[2]) - 1;
    const words = error.message.replace(/^JSON\.parse: /, "").replace(/ in JSON.*| \(line.*| at position.*| at line.*/, "").replace(/, ".*$/, "");
    return { problem: { at: Math.min(place, text.length), message: `This is not JSON: ${words}`, severity: "error" } };
  }
}

// Where the value at a path such as ["items", 2, "type"] begins in a text that is JSON: as deep as the path is there.
export function locate(text, path) {
  let at = 0;
  const space = () => { while (/\s/.test(text[at] || "")) at += 1; };
  const string = () => { const from = at; for (at += 1; at < text.length && text[at] !== '"'; at += 1) if (text[at] === "\\") at += 1; at += 1; return text.slice(from, at); };
  const skip = () => {
    space();
    if (text[at] === '"') return string();
    if (text[at] !== "{" && text[at] !== "[") { while (at < text.length && !/[\s,\]}]/.test(text[at])) at += 1; return null; }
    for (let depth = 0; at < text.length; ) {
      if (text[at] === '"') { string(); continue; }
      if ("{[".includes(text[at])) depth += 1;
      if ("}]".includes(text[at])) depth -= 1;
      at += 1;
      if (!depth) return null;
    }
    return null;
  };
  const next = () => { skip(); space(); if (text[at] === ",") at += 1; space(); };
  space();
  for (const step of path) {
    const begun = at;
    if (text[at] === "{") {
      at += 1; space();
      let found = -1;
      while (at < text.length && text[at] === '"') {
        const from = at;
        let key;
        try { key = JSON.parse(string()); } catch { key = null; }
        space(); at += 1; space();
        if (key === String(step)) { found = from; break; }
        next();
      }
      if (found < 0) return begun;
    } else if (text[at] === "[") {
      at += 1; space();
      for (let index = 0; index < Number(step) && at < text.length && text[at] !== "]"; index += 1) next();
      if (at >= text.length || text[at] === "]") return begun;
    } else return begun;
  }
  return at;
}

// 'tools[0].function.name' → ["tools", 0, "function", "name"]
export const steps = (name) => [...name.matchAll(/[^.[\]]+/g)].map(([part]) => (/^\d+$/.test(part) ? Number(part) : part));
