// node benches/models/wasm.mjs MODULE.wasm NAMES [NAME SIZE EVENTS]: what benches/table.rs does, in
// WebAssembly. NAMES are the cases' names in their order, with commas between.
import fs from 'node:fs';

const [file, names, name, size, events = '2000000'] = process.argv.slice(2);
const module = new WebAssembly.Module(fs.readFileSync(file));
names.split(',').forEach((caseName, index) => {
  if (name && caseName !== name) return;
  const { start, run, check } = new WebAssembly.Instance(module, {}).exports;
  const n = start(index);
  if (size && n !== +size) return;
  const before = process.cpuUsage();
  const ran = run(+events);
  const { user, system } = process.cpuUsage(before);
  const ns = (user + system) * 1000 / ran;
  console.log(`${caseName} ${n} ${ran} ${ns.toFixed(2)} ${BigInt.asUintN(64, check()).toString(16)}`);
});
