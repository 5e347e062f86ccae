// The draft: saved a moment after each change, kept in this browser while the server can't be reached, and never put over what
// another tab saved.
import { $, Refused, alertBox, call, clock, element, later } from "./dom.js";

const AGAIN_MS = 5_000;

export class Draft {
  // `content()` gives what is written, `apply(content)` puts something else in its place.
  constructor({ config, content, apply }) {
    Object.assign(this, { content, apply, branch: config.branch, base: config.base, revision: config.revision });
    this.address = config.drafts ? `${config.drafts}/${encodeURIComponent(config.branch)}` : "";
    this.key = `countersign-draft:${config.user}:${config.prompt || `new:${config.team}`}:${config.branch || ""}`;
    this.box = $("#editor-state");
    this.notice = $("#editor-notice");
    this.saved = config.posted ? null : JSON.stringify(content());
    this.local = later(250, () => this.keep());
    this.soon = later(800, () => this.save());
    this.stopped = false;
    addEventListener("online", () => this.save());
    document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") { this.keep(); this.save({ keepalive: true }); } });
    addEventListener("pagehide", () => this.keep());
    if (config.saved_at) this.say(`Draft saved ${clock(config.saved_at)}`);
  }
  say(text, tone = "") { this.box.textContent = text; this.box.dataset.tone = tone; }
  get text() { return JSON.stringify(this.content()); }
  get dirty() { return !this.stopped && this.text !== this.saved; }
  changed() { if (this.stopped) return; this.local(); this.soon(); }
  // In this browser, until the server has it.
  keep() {
    if (this.stopped || this.conflict) return;
    try {
      const text = this.text;
      if (text === this.saved) localStorage.removeItem(this.key);
      else localStorage.setItem(this.key, JSON.stringify({ content: JSON.parse(text), revision: this.revision, base: this.base, at: Date.now() }));
      if (!this.address && text !== this.saved) this.say(`Kept in this browser ${clock(Date.now())}`);
    } catch { /* too large, or not allowed: the server has it a moment later */ }
  }
  forget() { try { localStorage.removeItem(this.key); } catch { /* not allowed */ } }
  restore() {
    let kept = null;
    try { kept = JSON.parse(localStorage.getItem(this.key)); } catch { this.forget(); }
    if (!kept?.content || JSON.stringify(kept.content) === this.saved) return this.forget();
    if (!this.address || (kept.revision === this.revision && !(new URLSearchParams(location.search)).has("from"))) {
      this.apply(kept.content);
      this.tell("info", `What you wrote until ${clock(kept.at)} was kept in this browser${this.address ? ", and is being sent" : ""}.`, this.button("Discard it", () => this.discardLocal()));
      this.changed();
      return undefined;
    }
    this.tell("warning", `In this browser is a text from ${clock(kept.at)} that was never sent, and the draft was saved elsewhere since.`,
      this.button("Take the one in this browser", () => { this.tell(); this.apply(kept.content); this.save(); }),
      this.button("Forget it", () => { this.forget(); this.tell(); }));
    return undefined;
  }
  discardLocal() { this.tell(); if (this.saved) this.apply(JSON.parse(this.saved)); this.forget(); this.changed(); }
  button(text, act) { return element("button", { type: "button", class: "btn btn-sm", onclick: act }, text); }
  tell(tone, text, ...buttons) { this.notice.replaceChildren(...(text ? [alertBox(tone, text, ...buttons)] : [])); }

  async save({ keepalive = false } = {}) {
    clearTimeout(this.again);
    this.soon.stop();
    if (!this.address || this.stopped || this.conflict) return;
    if (this.saving) { this.more = true; return; }
    const text = this.text;
    if (text === this.saved) { if (this.revision) this.forget(); return; }
    // A browser sends at most 64 KiB of a page that is going; the rest is in localStorage.
    if (keepalive && text.length > 60_000) return;
    this.saving = true;
    try {
      const answer = await call(this.address, { method: "PUT", keepalive, body: { content: JSON.parse(text), revision: this.revision, base: this.base } });
      this.revision = answer.revision;
      this.saved = text;
      this.forget();
      this.say(`Draft saved ${clock(answer.saved_at)}`);
      $(".editor-draft")?.remove();
    } catch (error) { this.failed(error); } finally {
      this.saving = false;
      if (this.more) { this.more = false; this.soon(); }
    }
  }
  failed(error) {
    this.keep();
    if (!(error instanceof Refused) || error.status >= 500) {
      this.say("No connection: kept in this browser", "warn");
      this.again = setTimeout(() => this.save(), AGAIN_MS);
    } else if (error.status === 409) this.clash(error.body);
    else if (error.status === 401 || error.status === 403) this.say(`Not saved: ${error.message}`, "bad");
    else this.say(`Draft not saved: ${error.message}`, "bad");
  }
  clash(body) {
    this.conflict = true;
    this.say("Not saved: changed elsewhere", "warn");
    if (body.type?.endsWith("draft_gone")) {
      this.tell("warning", body.detail, this.button("Keep mine as a draft", () => this.mine(0)), this.button("Open what is there now", () => this.leave()));
      return;
    }
    this.tell("warning", body.detail, this.button("Take the other", () => this.theirs()), this.button("Keep mine", async () => this.mine((await call(this.address)).revision)));
  }
  mine(revision) { this.conflict = false; this.revision = revision; this.tell(); return this.save(); }
  async theirs() {
    const other = await call(this.address);
    this.conflict = false;
    this.tell();
    Object.assign(this, { revision: other.revision, base: other.base });
    this.apply(other.content);
    this.saved = this.text;
    this.forget();
    this.say(`Draft saved ${clock(other.saved_at)}`);
  }
  leave() { this.stopped = true; this.forget(); location.reload(); }
  // A version was made of it: there is nothing left to keep.
  done() { this.stopped = true; this.soon.stop(); this.local.stop(); clearTimeout(this.again); this.forget(); }
}
