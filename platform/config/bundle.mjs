// What pages load of npm's packages, put into node_modules/.vendor by `make setup` and served as static/vendor. CodeMirror is bundled
// and minified: as its packages come, it is four times as large. What we write ourselves is served as it stands.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const CODEMIRROR = `
  export { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
  export { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
  export { HighlightStyle, StreamLanguage, bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language";
  export { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
  export { Compartment, EditorState } from "@codemirror/state";
  export {
    EditorView, drawSelection, dropCursor, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers, placeholder,
  } from "@codemirror/view";
  export { tags } from "@lezer/highlight";
  // Fetched when somebody first looks for something.
  export const search = () => import("@codemirror/search");
`;

process.chdir(fileURLToPath(new URL("../..", import.meta.url)));
const into = "node_modules/.vendor";
await rm(into, { recursive: true, force: true });
await mkdir(into, { recursive: true });
await build({
  stdin: { contents: CODEMIRROR, resolveDir: ".", sourcefile: "codemirror.js" }, outdir: into, entryNames: "codemirror",
  chunkNames: "codemirror-[name]", bundle: true, minify: true, splitting: true, format: "esm", target: "es2022", legalComments: "eof",
});
for (const file of ["@tabler/core/dist/css/tabler.min.css", "echarts/dist/echarts.min.js"]) {
  // Without the address of a source map that isn't served.
  const text = (await readFile(`node_modules/${file}`, "utf8")).replace(/\n\/\*# sourceMappingURL=.*\*\/\s*$/, "\n");
  await writeFile(`${into}/${file.split("/").at(-1)}`, text);
}
