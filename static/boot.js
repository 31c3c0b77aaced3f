// Loads the page's wasm and shows it. Nothing runs on load by itself: workers load the same glue.
import init, { mount } from "./inflight.js";

await init({ module_or_path: new URL("./inflight_bg.wasm", import.meta.url) });
mount();
