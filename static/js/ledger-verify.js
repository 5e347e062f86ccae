// The button 'Verify in this browser': fetches the proof, recomputes it (ledger-proof.js) and shows every step with its
// values. It remembers the last checkpoint it saw, so that a log rolled back or forked since is caught here.
"use strict";
(() => {
  const proof = window.countersignProof;
  const box = document.querySelector("[data-verify-event], [data-verify-checkpoint]");
  if (!box) return;
  const FACTS = { id: "number", at: "time", team: "team", actor_id: "person", via: "door", key_id: "key", request_id: "HTTP request", action: "action", target_kind: "kind of thing", target_id: "thing", target_digest: "digest", subjects: "what it is part of" };
  const TEXTS = { actor_name: "name of the person", actor_email: "e-mail of the person", address: "address", target_label: "name of the thing", before: "before", after: "after", reason: "reason" };
  const PINNED = "countersign.ledger.key";
  const seenAt = (origin) => `countersign.ledger.seen.${origin}`;
  const find = (name) => box.querySelector(`[data-verify-${name}]`);
  const sprite = document.querySelector(".card-header use, .sidebar-nav use")?.getAttribute("href").split("#")[0];
  const ICONS = { good: "circle-check", bad: "circle-x", note: "alert-triangle" };

  class Mismatch extends Error {}
  function storage(action, name, value) {
    try { return action === "get" ? localStorage.getItem(name) : action === "set" ? localStorage.setItem(name, value) : localStorage.removeItem(name); }
    catch { return null; }
  }
  function element(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }
  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("class", "icon");
    svg.setAttribute("aria-hidden", "true");
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `${sprite}#${name}`);
    svg.append(use);
    return svg;
  }
  function step(tone, title, sentence, values = {}, raw = null) {
    const list = element("dl", { className: "values" });
    for (const [name, value] of Object.entries(values)) list.append(element("dt", { textContent: name }), element("dd", { textContent: value }));
    const body = element("div", {}, element("strong", { textContent: title }), element("p", { textContent: sentence }));
    if (Object.keys(values).length) body.append(list);
    if (raw) body.append(element("details", {}, element("summary", { textContent: raw.title }), element("pre", { textContent: raw.text })));
    find("steps").append(element("li", { className: `step-${tone}` }, icon(ICONS[tone]), body));
    find("steps").hidden = false;
  }
  function verdict(tone, sentence) {
    const line = find("verdict");
    line.className = `verdict is-${tone}`;
    line.replaceChildren(icon(ICONS[tone]), element("span", { textContent: sentence }));
    line.hidden = false;
  }
  function fail(title, sentence, values, raw) {
    step("bad", title, sentence, values, raw);
    throw new Mismatch(sentence);
  }
  async function get(address) {
    const answer = await fetch(address, { headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store" });
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || `The server answered ${answer.status}.`), { status: answer.status });
  }

  // 1. What the page shows is what the leaf holds.
  async function checkFacts(answer, shown) {
    const leaf = JSON.parse(answer.leaf);
    const raw = { title: "The leaf, as it was sealed", text: answer.leaf };
    if (proof.canonical(leaf) !== answer.leaf) fail("Facts", "The leaf is not canonical JSON: what it says could be read in two ways.", {}, raw);
    const wrong = Object.keys(FACTS).filter((name) => proof.canonical(leaf[name]) !== proof.canonical(shown.facts[name]));
    if (wrong.length) {
      const values = Object.fromEntries(wrong.flatMap((name) => [[`${FACTS[name]}, on this page`, String(shown.facts[name])], [`${FACTS[name]}, in the leaf`, String(leaf[name])]]));
      fail("Facts", `The leaf says something else than this page: ${wrong.map((name) => FACTS[name]).join(", ")}.`, values, raw);
    }
    step("good", "Facts", `All ${Object.keys(FACTS).length} facts on this page stand in the leaf: number, time, person, action and the others.`, {}, raw);
    return leaf;
  }

  // 2. The texts on the page, with their salts, give the commitments in the leaf.
  async function checkTexts(answer, leaf, shown) {
    const wrong = [], erased = [], values = {};
    for (const [name, title] of Object.entries(TEXTS)) {
      const opening = answer.openings[name];
      const sealed = (leaf.commitments || {})[name];
      if (!opening) { (shown.erased.includes(name) ? erased : wrong).push(title); continue; }
      const made = proof.hex(await proof.commitment(opening.salt, shown.texts[name]));
      if (made === sealed && !shown.erased.includes(name)) continue;
      wrong.push(title);
      values[`${title}, as shown`] = made;
      values[`${title}, as sealed`] = String(sealed);
    }
    if (wrong.length) fail("Texts", `Not what was sealed: ${wrong.join(", ")}. The text was changed afterwards.`, values);
    const count = Object.keys(TEXTS).length - erased.length;
    const gone = erased.length ? ` Erased on request, and not to be checked any more: ${erased.join(", ")}. Their seals are still part of the leaf.` : "";
    step(erased.length ? "note" : "good", "Texts", `${count} texts on this page, each with its salt, hash to what the leaf commits to.${gone}`);
    return erased;
  }

  // 3. The leaf's hash leads to the root of the checkpoint.
  async function checkPath(answer, checkpoint) {
    const leaf = await proof.leafHash(answer.leaf);
    const root = await proof.rootOfInclusion(answer.leaf_index, answer.tree_size, leaf, answer.path.map(proof.fromBase64));
    const values = { "leaf hash": proof.hex(leaf), "leaf index": String(answer.leaf_index), "root, computed": root ? proof.hex(root) : "none", "root, signed": proof.hex(checkpoint.root) };
    const raw = { title: `The ${answer.path.length} hashes on the way`, text: answer.path.join("\n") };
    if (answer.tree_size !== checkpoint.size) fail("Path to the root", `The path is for a tree of ${answer.tree_size} events, the checkpoint for ${checkpoint.size}.`, values, raw);
    if (!root || !proof.same(root, checkpoint.root)) fail("Path to the root", "This event's leaf does not lead to the signed root: its facts, or its place in the ledger, are not what was sealed.", values, raw);
    step("good", "Path to the root", `From leaf ${answer.leaf_index}, over ${answer.path.length} hashes, to the root over ${answer.tree_size} events.`, values, raw);
  }

  // 4. The checkpoint is signed by the key that is trusted here.
  async function checkSignature(checkpoint, keys) {
    const pinned = storage("get", PINNED);
    const raw = { title: "The checkpoint, a signed note", text: checkpoint.note };
    const candidates = pinned ? await endorsed(pinned, keys) : keys;
    let unable = false;
    for (const line of checkpoint.signatures) {
      for (const key of candidates) {
        const bytes = proof.fromBase64(key.public_key);
        if (line.name !== checkpoint.origin || await proof.keyHash(line.name, bytes) !== line.hash) continue;
        const good = await proof.verifies(bytes, line.signature, checkpoint.body);
        const values = { origin: checkpoint.origin, "key id": line.hash, "public key": key.public_key, "signature": proof.base64(line.signature) };
        if (good === true) { step("good", "Signature", `Ed25519, by the key ${pinned ? "that you pinned" : "that this server names (pin one below to trust your own)"}.`, values, raw); return true; }
        if (good === false) fail("Signature", "The checkpoint's signature is not by this key: it was made up, or altered.", values, raw);
        unable = true;
      }
    }
    if (unable) {
      step("note", "Signature", "This browser has no Ed25519 in WebCrypto, so the signature was not checked. A newer browser (Chrome 137, Firefox 130, Safari 17) or the offline verifier does it.", {}, raw);
      return false;
    }
    fail("Signature", pinned ? "The checkpoint is not signed by the key that you pinned." : "The checkpoint is signed by no key that this server knows.", { "key ids in the note": checkpoint.signatures.map((line) => line.hash).join(", ") || "none" }, raw);
  }

  // A pinned key hands over to the next one by a note that it signs; so the trust follows a rotation.
  async function endorsed(pinned, keys) {
    const trusted = [{ public_key: pinned }];
    for (const key of keys.filter((one) => one.endorsement)) {
      const end = key.endorsement.indexOf("\n\n");
      const body = key.endorsement.slice(0, end + 1);
      if (end < 0 || !body.startsWith("countersign ledger key rotation\n") || body.split("\n")[3] !== key.text) continue;
      const bytes = proof.fromBase64(key.public_key);
      const said = `${key.name}+${await proof.keyHash(key.name, bytes)}+`;
      if (!key.text.startsWith(said) || !proof.same(proof.fromBase64(key.text.slice(said.length)), Uint8Array.of(1, ...bytes))) continue;
      const by = proof.fromBase64(trusted.at(-1).public_key);
      for (const line of proof.readSignatures(key.endorsement.slice(end + 2))) {
        if (await proof.keyHash(line.name, by) !== line.hash || !(await proof.verifies(by, line.signature, body))) continue;
        trusted.push(key);
        break;
      }
    }
    return trusted;
  }

  async function consistent(first, second) {
    const answer = await (await get(`${box.dataset.consistency}?from=${first.size}&to=${second.size}`)).json();
    const roots = await proof.rootsOfConsistency(first.size, second.size, first.root, answer.path.map(proof.fromBase64));
    return Boolean(roots && proof.same(roots.old, first.root) && proof.same(roots.new, second.root));
  }

  // 5. The checkpoint goes on from the one that this browser saw last.
  async function checkHistory(checkpoint) {
    const kept = storage("get", seenAt(checkpoint.origin));
    let seen = null;
    try { seen = kept ? proof.readNote(kept) : null; } catch { storage("remove", seenAt(checkpoint.origin)); }
    const values = seen ? { "seen then": `${seen.size} events, root ${proof.hex(seen.root)}`, "signed now": `${checkpoint.size} events, root ${proof.hex(checkpoint.root)}` } : {};
    const remember = () => storage("set", seenAt(checkpoint.origin), checkpoint.note);
    if (!seen) {
      remember();
      return step("good", "History", "The first checkpoint that this browser sees. It is remembered; the next time the ledger must go on from here.");
    }
    if (seen.size > checkpoint.size) fail("History", `Rolled back: this browser has seen a checkpoint over ${seen.size} events, and now the ledger ends at ${checkpoint.size}.`, values, { title: "The checkpoint that was seen", text: seen.note });
    let goes = false;
    if (seen.size === checkpoint.size) goes = proof.same(seen.root, checkpoint.root);
    else if (seen.size === 0) goes = true;
    else goes = await consistent(seen, checkpoint);
    if (!goes) fail("History", "Forked: the ledger does not go on from the checkpoint that this browser saw last. Keep both; together they prove it.", values, { title: "The checkpoint that was seen", text: seen.note });
    remember();
    step("good", "History", seen.size === checkpoint.size ? "The same checkpoint that this browser saw last." : `The ledger goes on from the checkpoint that this browser saw last: nothing among its ${seen.size} events was changed or dropped.`, values);
  }

  async function verifyEvent() {
    const shown = JSON.parse(document.getElementById("event-shown").textContent);
    const answer = await (await get(box.dataset.proof)).json();
    const leaf = await checkFacts(answer, shown);
    const erased = await checkTexts(answer, leaf, shown);
    const checkpoint = proof.readNote(answer.checkpoint);
    await checkPath(answer, checkpoint);
    const signed = await checkSignature(checkpoint, answer.keys);
    await checkHistory(checkpoint);
    if (!signed) return verdict("note", "Everything checked here fits, but the signature could not be checked by this browser.");
    verdict("good", erased.length ? "Proven: what is left of this event stands in the ledger as it was sealed." : "Proven: this event stands in the ledger exactly as this page shows it.");
  }

  async function verifyCheckpoint() {
    const { keys, notes } = JSON.parse(document.getElementById("checkpoints-shown").textContent);
    const [first, second] = notes.map(proof.readNote);
    const signed = (await checkSignature(first, keys)) && (!second || await checkSignature(second, keys));
    if (second) {
      const values = { from: `${first.size} events, root ${proof.hex(first.root)}`, to: `${second.size} events, root ${proof.hex(second.root)}` };
      if (first.origin !== second.origin) fail("Consistency", "These are checkpoints of two different ledgers.", values);
      if (!(await consistent(first, second))) fail("Consistency", "The later checkpoint does not go on from the earlier one.", values);
      step("good", "Consistency", `The tree over ${second.size} events begins with the tree over ${first.size}: nothing in it was changed, dropped or inserted.`, values);
    } else await checkHistory(first);
    if (!signed) return verdict("note", "Everything checked here fits, but the signature could not be checked by this browser.");
    verdict("good", second ? "Proven: the ledger only grew between these two checkpoints." : "Proven: this checkpoint is signed, and goes on from the last one that this browser saw.");
  }

  async function start() {
    find("steps").replaceChildren();
    find("verdict").hidden = true;
    find("intro")?.setAttribute("hidden", "");
    if (!window.crypto?.subtle) {
      verdict("note", "Browsers offer WebCrypto only over https or on localhost, and this page came by plain http. Open it over https, or use the offline verifier.");
      return;
    }
    const button = find("start");
    button.disabled = true;
    try { await (box.dataset.verifyEvent ? verifyEvent() : verifyCheckpoint()); }
    catch (error) {
      if (error instanceof Mismatch) verdict("bad", `Not proven. ${error.message}`);
      else if (error.status === 409) verdict("note", `${error.message} Try again in a few seconds.`);
      else if (error.status) verdict("note", error.message);
      else verdict("bad", `Not proven: the proof can't be read. ${error.message}`);
    }
    button.disabled = false;
    box.dataset.verified = find("verdict").className.replace("verdict is-", "");
  }
  find("start").addEventListener("click", start);

  // The pinned key
  const pin = box.querySelector("[data-pin-form]");
  function showPin(problem = "") {
    const pinned = storage("get", PINNED);
    box.querySelector("[data-pin-state]").textContent = pinned ? `The one you pinned: ${pinned}` : "The one that this server names.";
    box.querySelector("[data-pin-clear]").hidden = !pinned;
    box.querySelector("[data-pin-problem]").textContent = problem;
  }
  // 32 bytes in base64, a C2SP verifier key (name+hash+base64 of 0x01 and the key), or PEM.
  function readKey(given) {
    const wanted = given.trim();
    const pem = wanted.match(/-----BEGIN PUBLIC KEY-----([\s\S]+)-----END/);
    let bytes = proof.fromBase64(pem ? pem[1].replace(/\s/g, "") : wanted.split("+").length > 2 && /^\S+\+[0-9a-f]{8}\+/.test(wanted) ? wanted.replace(/^\S+?\+[0-9a-f]{8}\+/, "") : wanted);
    if (pem) bytes = bytes.slice(-32);
    if (bytes.length === 33 && bytes[0] === 1) bytes = bytes.slice(1);
    if (bytes.length !== 32) throw new Error("length");
    return proof.base64(bytes);
  }
  pin?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = box.querySelector("[data-pin-file]").files[0];
    try {
      storage("set", PINNED, readKey(file ? await file.text() : box.querySelector("[data-pin-key]").value));
      showPin();
    } catch { showPin("This is no Ed25519 public key: give its 32 bytes in base64, a verifier key (name+id+key) or a PEM file."); }
  });
  box.querySelector("[data-pin-clear]")?.addEventListener("click", () => { storage("remove", PINNED); showPin(); });
  if (pin) showPin();
})();
