// Logs stay at their end while they grow, unless somebody has scrolled up to read.
"use strict";

const atEnd = new WeakMap();
function follow() {
  for (const log of document.querySelectorAll("[data-follow]")) if (atEnd.get(log) !== false) log.scrollTop = log.scrollHeight;
}
document.addEventListener("scroll", (event) => {
  const log = event.target;
  if (log.matches?.("[data-follow]")) atEnd.set(log, log.scrollHeight - log.scrollTop - log.clientHeight < 24);
}, true);
document.addEventListener("htmx:after:swap", follow);
addEventListener("DOMContentLoaded", follow);
