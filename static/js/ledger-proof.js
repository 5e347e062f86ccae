// What proves an event of the ledger, in the browser: canonical JSON (RFC 8785), Merkle proofs (RFC 9162), signed notes
// (C2SP) with Ed25519. Nothing here touches the page or the network; docs/ledger.md has the formats.
"use strict";
window.countersignProof = (() => {
  const text = new TextEncoder();
  const concat = (...parts) => {
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return all;
  };
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  function fromHex(value) {
    if (!/^([0-9a-f]{2})*$/i.test(value)) throw new Error("This is not hexadecimal.");
    return Uint8Array.from(value.match(/../g) || [], (pair) => parseInt(pair, 16));
  }
  const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
  const fromBase64 = (value) => Uint8Array.from(atob(value.trim()), (letter) => letter.charCodeAt(0));
  const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
  const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));

  // RFC 8785: keys by UTF-16 code units, numbers and strings as JavaScript writes them.
  function canonical(value) {
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value && typeof value === "object") return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
    return JSON.stringify(value);
  }
  const commitment = (salt, value) => sha256(fromHex(salt), text.encode(canonical(value)));
  const leafHash = (leaf) => sha256(Uint8Array.of(0), text.encode(leaf));
  const node = (left, right) => sha256(Uint8Array.of(1), left, right);

  // RFC 9162, 2.1.3.2: the root that this path leads to; null when its length can't be right.
  async function rootOfInclusion(index, size, leaf, path) {
    if (index >= size) return null;
    let fn = BigInt(index), sn = BigInt(size) - 1n, hash = leaf;
    for (const sibling of path) {
      if (sn === 0n) return null;
      if (fn & 1n || fn === sn) {
        hash = await node(sibling, hash);
        if (!(fn & 1n)) while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
      } else hash = await node(hash, sibling);
      fn >>= 1n; sn >>= 1n;
    }
    return sn === 0n ? hash : null;
  }

  // RFC 9162, 2.1.4.2: does the tree of `second` leaves begin with the one of `first`? {old, new}: the roots it leads to.
  async function rootsOfConsistency(first, second, oldRoot, path) {
    if (first === second) return path.length ? null : { old: oldRoot, new: oldRoot };
    if (first < 1 || first > second || !path.length) return null;
    const whole = (BigInt(first) & (BigInt(first) - 1n)) === 0n;
    const rest = whole ? [oldRoot, ...path] : [...path];
    let fn = BigInt(first) - 1n, sn = BigInt(second) - 1n;
    while (fn & 1n) { fn >>= 1n; sn >>= 1n; }
    let fr = rest[0], sr = rest[0];
    for (const hash of rest.slice(1)) {
      if (sn === 0n) return null;
      if (fn & 1n || fn === sn) {
        fr = await node(hash, fr);
        sr = await node(hash, sr);
        while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
      } else sr = await node(sr, hash);
      fn >>= 1n; sn >>= 1n;
    }
    return sn === 0n ? { old: fr, new: sr } : null;
  }

  // Signature lines of a note: 4 bytes of key id and 64 of Ed25519 each.
  function readSignatures(lines) {
    return lines.split("\n").filter(Boolean).map((line) => {
      const parts = line.match(/^\u2014 (\S+) (\S+)$/);
      if (!parts) throw new Error("A signature line of the checkpoint can't be read.");
      const bytes = fromBase64(parts[2]);
      return { name: parts[1], hash: hex(bytes.slice(0, 4)), signature: bytes.slice(4) };
    });
  }

  // A C2SP checkpoint: origin, size, root; then signatures.
  function readNote(note) {
    const end = note.indexOf("\n\n");
    if (end < 0) throw new Error("The checkpoint is no signed note: it has no signatures.");
    const body = note.slice(0, end + 1);
    const [origin, size, root] = body.split("\n");
    if (!origin || !/^(0|[1-9]\d*)$/.test(size) || !root) throw new Error("The checkpoint's text is not origin, size and root.");
    const signatures = readSignatures(note.slice(end + 2));
    return { note, body, origin, size: Number(size), root: fromBase64(root), signatures };
  }
  const keyHash = async (name, publicKey) => hex((await sha256(text.encode(name), Uint8Array.of(10, 1), publicKey)).slice(0, 4));

  // true, false, or null where this browser has no Ed25519.
  async function verifies(publicKey, signature, message) {
    let key;
    try { key = await crypto.subtle.importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]); }
    catch (error) { if (error.name === "NotSupportedError") return null; return false; }
    return crypto.subtle.verify({ name: "Ed25519" }, key, signature, text.encode(message));
  }

  return { canonical, commitment, leafHash, rootOfInclusion, rootsOfConsistency, readNote, readSignatures, keyHash, verifies, hex, base64, fromBase64, same };
})();
