// Sets the theme before the first paint: the address first, then what this reader chose before,
// else what the system prefers. In a sandboxed frame storage throws on mere access.
(() => {
  const asked = new URLSearchParams(location.search).get("theme");
  let stored = null;
  try {
    stored = localStorage.getItem("inflight.theme");
  } catch {
    // No storage here: the system's preference holds.
  }
  const theme = [asked, stored].find((name) => name === "light" || name === "dark");
  if (theme) document.documentElement.dataset.theme = theme;
})();
