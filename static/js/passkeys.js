// allauth's own script talks to the browser; this one says in words what went wrong.
(() => {
  document.addEventListener("allauth.error", (event) => {
    const error = event.detail && event.detail.exception;
    const name = (error && error.name) || "";
    const words = name === "NotAllowedError" ? "Nothing was confirmed: it was cancelled, or took too long. Try again."
      : name === "InvalidStateError" ? "This device or key is registered already."
      : name === "SecurityError" ? "Passkeys need https and a host name: open this site by its name, not by its address."
      : "The passkey could not be used. Try again, or use your password.";
    for (const place of document.querySelectorAll("[data-passkey-error]")) { place.textContent = words; place.hidden = false; }
    event.preventDefault();
  });
  // Without support in the browser there is nothing to press.
  if (!window.PublicKeyCredential) for (const part of document.querySelectorAll("[data-passkey]")) part.hidden = true;
})();
