// The try-it box: an answer that streams in, with its speed. Without this file the form posts and the page has the answer.
"use strict";

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-try-form]");
  if (!form) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(form.closest("[data-try]"), form);
}, true);

// Enter sends, Shift-Enter makes a new line.
document.addEventListener("keydown", (event) => {
  const form = event.target.matches?.("[data-try-form] textarea") && event.target.form;
  if (form && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  }
});

async function ask(box, form) {
  const part = (name) => box.querySelector(`[data-try-${name}]`);
  const [answer, stats, error, send, stop] = ["answer", "stats", "error", "send", "stop"].map(part);
  const aborter = new AbortController();
  const started = performance.now();
  let first = 0;
  let usage = null;
  let pieces = 0;
  answer.textContent = "";
  answer.hidden = false;
  answer.classList.add("is-streaming");
  error.hidden = true;
  send.disabled = true;
  stop.hidden = false;
  stop.onclick = () => aborter.abort();
  const ticker = setInterval(() => { stats.textContent = said(); }, 200);

  function said() {
    const total = performance.now() - started;
    if (!first) return `waiting, ${length(total)}`;
    const tokens = usage ? usage.completion_tokens : pieces;
    const speed = total > first ? tokens / ((total - first) / 1000) : 0;
    return `first token ${length(first)}, ${tokens} tokens in ${length(total)}${speed ? `, ${speed.toFixed(speed < 10 ? 1 : 0)} tokens/s` : ""}`;
  }
  function fail(text) {
    error.hidden = false;
    error.querySelector("div").textContent = text;
    if (!answer.textContent) answer.hidden = true;
  }

  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "text/event-stream" },
      signal: aborter.signal,
    });
    if (!(response.headers.get("Content-Type") || "").startsWith("text/event-stream")) {
      const body = await response.json().catch(() => null);
      fail(body?.error?.message || `The site answered ${response.status}.`);
      return;
    }
    for await (const data of events(response.body)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data);
      if (chunk.error) fail(chunk.error.message);
      if (chunk.usage) usage = chunk.usage;
      const choice = chunk.choices?.[0];
      const text = choice?.delta?.content ?? choice?.text ?? "";
      if (text) {
        first ||= performance.now() - started;
        pieces += 1;
        answer.append(text);
      }
    }
  } catch (problem) {
    if (problem.name === "AbortError") answer.append(answer.textContent ? " (stopped)" : "(stopped)");
    else fail(`The connection broke: ${problem.message}`);
  } finally {
    clearInterval(ticker);
    stats.textContent = first ? said() : "";
    answer.classList.remove("is-streaming");
    send.disabled = false;
    stop.hidden = true;
  }
}

// The data of server-sent events, in whatever pieces they arrive.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    const parts = buffer.split(/\r?\n\r?\n/);
    buffer = parts.pop();
    for (const event of parts) {
      const data = event.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      if (data.length) yield data.join("\n");
    }
  }
}

const length = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
