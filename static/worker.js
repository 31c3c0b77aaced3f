// Looks for what breaks guarantees, beside the page: the same wasm in an instance of its own.
import init, { CrashSearch } from "./inflight.js";

const ready = init({ module_or_path: new URL("./inflight_bg.wasm", import.meta.url) });
onmessage = async ({ data }) => {
  await ready;
  const search = new CrashSearch(data);
  while (!search.step()) postMessage(search.news(false));
  postMessage(search.news(true));
};
