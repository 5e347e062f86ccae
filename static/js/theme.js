// Runs before the first paint, so that a chosen theme never flashes. "auto" (or nothing) follows the system.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => { try { return localStorage.getItem("theme") || "auto"; } catch { return "auto"; } };
  const show = () => {
    const theme = chosen() === "auto" ? (dark.matches ? "dark" : "light") : chosen();
    if (root.dataset.bsTheme !== theme) {
      root.dataset.bsTheme = theme;
      dispatchEvent(new Event("themechange"));
    }
  };
  show();
  dark.addEventListener("change", show);
  addEventListener("storage", show);
  window.countersignTheme = { chosen, choose(theme) { try { localStorage.setItem("theme", theme); } catch { /* private window */ } show(); } };
})();
