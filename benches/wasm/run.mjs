// node benches/wasm/run.mjs MODULE.wasm INDEX EVENTS: what benches/table.rs does for one model, in
// WebAssembly. Prints size, events, ns per event, check. With `seeks N`: the ms of each seek.
import fs from 'node:fs';

const [file, index, events] = process.argv.slice(2);
const module = new WebAssembly.Module(fs.readFileSync(file));
// The library that draws charts asks for functions of the page; the models never call them.
const imports = {};
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  (imports[from] ??= {})[name] = () => { throw new Error(`${name} is not there`); };
}
const { start, run, check, start_seeks, seek } =
  new WebAssembly.Instance(module, imports).exports;

function measureModel() {
  const n = start(+index);
  const before = process.cpuUsage();
  const ran = run(+events);
  const { user, system } = process.cpuUsage(before);
  const ns = (user + system) * 1000 / ran;
  console.log(`${n} ${ran} ${ns.toFixed(2)} ${BigInt.asUintN(64, check()).toString(16)}`);
}

function measureSeeks() {
  start_seeks();
  for (let i = 0; i < +events; i++) {
    const before = performance.now();
    seek();
    console.log((performance.now() - before).toFixed(3));
  }
}

if (index === 'seeks') measureSeeks(); else measureModel();
