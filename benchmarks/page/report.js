"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows;
const byId = id => document.getElementById(id);

/* Text only ever becomes text, never markup. */
function element(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "line", "text", "circle", "path"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter(child => child !== null && child !== undefined));
  return node;
}

const count = value => Math.round(value).toLocaleString("en");
const percent = (value, digits = 2) => `${(100 * value).toFixed(digits)} %`;
const points = value => {
  const rounded = (100 * value).toFixed(2);
  return Number(rounded) === 0 ? "0.00" : (value > 0 ? "+" : "−") + rounded.replace("-", "");
};
const microseconds = value => value >= 1000 ? count(value) : value.toFixed(1);

function table(id, heads, lines) {
  const target = byId(id);
  if (lines.length === 0) {
    target.replaceWith(element("p", {}, "None."));
    return;
  }
  const head = element("tr", {}, ...heads.map(text => element("th", { scope: "col" }, text)));
  const body = lines.map(cells => element("tr", {}, ...cells.map(cell =>
    cell instanceof Node ? cell : element("td", {}, cell ?? ""))));
  target.replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
}

const interval = (value, low, high) =>
  element("td", {}, value, " ", element("small", {}, `${low} to ${high}`));
const words = text => element("td", { class: "words" }, text);

/* The opening words, and what must not be overlooked. */
const measured = rows.filter(row => row.latency || row.accuracy);
const machine = Object.entries(data.passes).find(([name]) => name.startsWith("latency"));
byId("lead").textContent = `${measured.length} rows`
  + (machine ? ` on ${machine[1].environment[0]}` : "")
  + `; ${rows.length - measured.length} could not be measured.`;
const warnings = [];
for (const [name, pass] of Object.entries(data.passes)) {
  if (!pass.complete) warnings.push(`The pass “${name}” was interrupted; its results are partial.`);
  if (pass.disturbed) warnings.push(`${name}: ${pass.sentence}`);
}
const unjudged = rows.filter(row => row.latency && !row.accuracy && row.subject.trained);
if (unjudged.length) {
  warnings.push(`Accuracy is missing for ${unjudged.length} rows; “Not measured” says why.`);
}
byId("warnings").hidden = warnings.length === 0;
byId("warnings").replaceChildren(...warnings.map(text => element("li", {}, text)));

/* The plot. */
const both = rows.filter(row => row.latency && row.accuracy
  && row.subject.threads === 1 && row.subject.batch === 1);
const hidden = new Set();
const SIZE = { width: 900, height: 460, left: 62, right: 20, top: 16, bottom: 46 };

function ticks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++) {
    for (const step of [1, 2, 5]) {
      const value = step * 10 ** power;
      if (value >= low && value <= high) found.push(value);
    }
  }
  return found;
}

function frontier(shown) {
  const sorted = [...shown].sort((a, b) =>
    a.latency.p50_us - b.latency.p50_us || b.accuracy.top1 - a.accuracy.top1);
  let best = -1;
  return sorted.filter(row => row.accuracy.top1 > best && (best = row.accuracy.top1, true));
}

function draw() {
  const plot = byId("plot");
  const shown = both.filter(row =>
    !hidden.has(row.subject.runtime) && !hidden.has(row.subject.network));
  byId("tip").hidden = true;
  if (shown.length === 0) {
    plot.replaceChildren(element("text", { x: 450, y: 230, "text-anchor": "middle" },
      "No row with both accuracy and latency is shown."));
    return;
  }
  const us = shown.map(row => row.latency.p50_us);
  const top1 = shown.map(row => row.accuracy.top1);
  const [low, high] = [Math.min(...us) / 1.35, Math.max(...us) * 1.35];
  const room = Math.max(0.0005, (Math.max(...top1) - Math.min(...top1)) * 0.3);
  const [bottom, top] = [Math.min(...top1) - room, Math.max(...top1) + room];
  const x = value => SIZE.left + (SIZE.width - SIZE.left - SIZE.right)
    * Math.log(value / low) / Math.log(high / low);
  const y = value => SIZE.top + (SIZE.height - SIZE.top - SIZE.bottom)
    * (top - value) / (top - bottom);
  const parts = [];
  for (const value of ticks(low, high)) {
    parts.push(element("line", { class: "grid", x1: x(value), x2: x(value), y1: SIZE.top,
      y2: SIZE.height - SIZE.bottom }));
    parts.push(element("text", { x: x(value), y: SIZE.height - SIZE.bottom + 17,
      "text-anchor": "middle" }, count(value)));
  }
  const step = [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    .find(s => (top - bottom) / s <= 8) ?? 0.5;
  for (let value = Math.ceil(bottom / step) * step; value <= top; value += step) {
    parts.push(element("line", { class: "grid", y1: y(value), y2: y(value), x1: SIZE.left,
      x2: SIZE.width - SIZE.right }));
    parts.push(element("text", { x: SIZE.left - 8, y: y(value) + 4, "text-anchor": "end" },
      percent(value, step < 0.001 ? 2 : 1)));
  }
  parts.push(element("text", { x: (SIZE.left + SIZE.width) / 2, y: SIZE.height - 8,
    "text-anchor": "middle" }, "µs an image (p50, batch 1, one thread)"));
  const line = frontier(shown);
  let path = "";
  line.forEach((row, i) => {
    const [cx, cy] = [x(row.latency.p50_us), y(row.accuracy.top1)];
    path += i === 0 ? `M${cx},${cy}` : `H${cx}V${cy}`;
  });
  parts.push(element("path", { class: "frontier", d: path }));
  const largest = Math.max(...shown.map(row => row.size_bytes));
  const radius = row => Math.max(4, 26 * Math.sqrt(row.size_bytes / largest));
  for (const row of [...shown].sort((a, b) => b.size_bytes - a.size_bytes)) {
    const colour = data.colours[row.subject.runtime];
    const circle = element("circle", { cx: x(row.latency.p50_us), cy: y(row.accuracy.top1),
      r: radius(row), fill: colour, stroke: colour, tabindex: 0, role: "img",
      "aria-label": row.name });
    for (const event of ["mouseenter", "focus"]) {
      circle.addEventListener(event, () => show(row, circle));
    }
    for (const event of ["mouseleave", "blur"]) {
      circle.addEventListener(event, () => { byId("tip").hidden = true; });
    }
    parts.push(circle);
  }
  const taken = [];
  for (const row of [...line, ...shown.filter(row => !line.includes(row))]) {
    const text = row.subject.precision + (row.subject.delegate === "cpu" ? ", cpu" : "");
    const at = { x: x(row.latency.p50_us), y: y(row.accuracy.top1) - radius(row) - 5 };
    const width = 6 * text.length;
    const free = () => taken.every(t => Math.abs(t.y - at.y) > 12
      || Math.abs(t.x - at.x) > (t.width + width) / 2);
    for (let turn = 0; turn < 4 && !free(); turn++) {
      at.y = y(row.accuracy.top1) + (turn % 2 ? -1 : 1) * (radius(row) + 5 + 12 * (turn >> 1))
        + (turn % 2 ? -12 : 10);
    }
    if (!free()) continue;
    taken.push({ ...at, width });
    parts.push(element("text", { class: "name", ...{ x: at.x, y: at.y }, "text-anchor": "middle" },
      text));
  }
  plot.replaceChildren(...parts);
}

function show(row, circle) {
  const { accuracy, latency } = row;
  const tip = byId("tip");
  tip.textContent = [
    row.name,
    `top-1 ${percent(accuracy.top1)} (${percent(accuracy.top1_low)} to ${percent(accuracy.top1_high)})`,
    "drop" in accuracy ? `drop ${points(accuracy.drop)} points, agreement ${percent(accuracy.agreement)}` : "",
    `p50 ${microseconds(latency.p50_us)} µs, p95 ${microseconds(latency.p95_us)} µs`,
    `${count(row.size_bytes)} bytes`,
    latency.roofline ? `${percent(latency.roofline, 0)} of the roofline` : "",
  ].filter(Boolean).join("\n");
  tip.hidden = false;
  const frame = tip.parentElement.getBoundingClientRect();
  const box = circle.getBoundingClientRect();
  const left = box.right - frame.left + 8;
  tip.style.left = `${Math.max(0, Math.min(left, frame.width - tip.offsetWidth))}px`;
  tip.style.top = `${Math.max(0, box.top - frame.top - tip.offsetHeight - 8)}px`;
}

const runtimes = [...new Set(both.map(row => row.subject.runtime))];
const nets = [...new Set(both.map(row => row.subject.network))];
for (const name of [...runtimes, ...(nets.length > 1 ? nets : [])]) {
  const box = element("input", { type: "checkbox", value: name });
  box.checked = true;
  box.addEventListener("change", () => {
    if (box.checked) hidden.delete(name); else hidden.add(name);
    draw();
  });
  const dot = data.colours[name]
    ? element("i", { style: `background:${data.colours[name]}` }) : null;
  byId("filters").append(element("label", {}, box, dot, name));
}
draw();

/* The tables. */
const timed = rows.filter(row => row.latency).sort((a, b) =>
  Number(b.subject.trained) - Number(a.subject.trained)
  || a.subject.network.localeCompare(b.subject.network) || a.latency.p50_us - b.latency.p50_us);
table("latency",
  ["row", "p50, µs", "p90", "p95", "p99", "time, reference = 1", "verdict", "bytes", "GMAC/s",
    "of the roofline", "rounds"],
  timed.map(row => {
    const l = row.latency;
    return [row.name + (l.complete ? "" : " (interrupted)"),
      interval(microseconds(l.p50_us), microseconds(l.p50_low_us), microseconds(l.p50_high_us)),
      microseconds(l.p90_us), microseconds(l.p95_us), microseconds(l.p99_us),
      l.against === row.name ? "1"
        : interval(l.ratio.toFixed(3), l.ratio_low.toFixed(3), l.ratio_high.toFixed(3)),
      l.verdict, count(row.size_bytes),
      row.macs ? (row.macs / l.p50_us / 1000).toFixed(1) : "",
      l.roofline ? percent(l.roofline, 0) : "", count(l.calls)];
  }));

const judged = rows.filter(row => row.accuracy);
table("accuracy", ["row", "top-1", "drop, points", "McNemar p", "agreement", "only float32 right",
  "only this right", "flipped", "bytes"],
judged.map(row => {
  const a = row.accuracy;
  const held = "drop" in a;
  return [row.name, interval(percent(a.top1), percent(a.top1_low), percent(a.top1_high)),
    held ? interval(points(a.drop), points(a.drop_low), points(a.drop_high)) : "",
    held ? a.p_value.toFixed(2) : "", held ? percent(a.agreement) : "", held ? count(a.lost) : "",
    held ? count(a.gained) : "", held ? count(a.flipped.length) : "", count(row.size_bytes)];
}));

function shade(value, most) {
  if (!most || !value) return "";
  const share = Math.min(1, Math.abs(value) / most);
  return `background: color-mix(in srgb, ${value > 0 ? "rgb(214 69 48)" : "rgb(11 122 117)"} `
    + `${Math.round(55 * share)}%, transparent)`;
}

const held = judged.filter(row => "drop" in row.accuracy && row.accuracy.flipped.length);
const worst = Math.max(...held.flatMap(row => row.accuracy.per_class_drop.map(Math.abs)), 0.001);
table("classes", ["row", ...data.classes], held.map(row => [row.name,
  ...row.accuracy.per_class_drop.map(drop =>
    element("td", { style: shade(drop, worst) }, points(drop)))]));

function choose() {
  const row = held.find(candidate => candidate.name === byId("chosen").value);
  const difference = row.accuracy.confusion_difference;
  const off = difference.flatMap((line, i) => line.filter((_, j) => j !== i));
  const most = Math.max(...off.map(Math.abs), 1);
  table("confusion", ["", ...data.classes], difference.map((line, i) =>
    [element("th", { scope: "row" }, data.classes[i]), ...line.map((value, j) =>
      element("td", { style: shade(i === j ? -value : value, most) },
        value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "0"))]));
  const flipped = row.accuracy.flipped;
  const shown = flipped.filter(([index]) => index in data.thumbnails).slice(0, 24);
  byId("flipped-count").textContent =
    `${count(flipped.length)} of ${count(row.accuracy.images)} images get another answer than `
    + `from float32; the first ${shown.length}:`;
  byId("flipped").replaceChildren(...shown.map(([index, truth, before, after]) =>
    element("figure", {}, element("img", { src: data.thumbnails[index], alt: data.classes[truth] }),
      element("figcaption", {}, element("b", {}, data.classes[truth]),
        ` float32: ${data.classes[before]}, here: ${data.classes[after]}`))));
}
byId("chosen").append(...held.map(row => element("option", { value: row.name }, row.name)));
byId("chosen").addEventListener("change", choose);
if (held.length) {
  choose();
} else {
  byId("chosen").closest("section").querySelector("p").textContent = "No row differs from its float32.";
}

table("roofline", ["beside", "precision", "by", "GMAC/s", "of the fastest"],
  Object.entries(data.roofline).flatMap(([network, probes]) =>
    Object.entries(probes).flatMap(([precision, probe]) =>
      Object.entries(probe.all).sort((a, b) => b[1] - a[1]).map(([by, rate]) =>
        [network, precision, by, (rate / 1e9).toFixed(1),
          percent(rate / probe.macs_per_s, 0)]))));
table("cross-check", ["row", "litert-benchmark, ms", "ours, ms", "difference, ms"],
  data.cross_check.map(check => "reason" in check ? [check.name, words(check.reason), "", ""]
    : [check.name, check.litert_benchmark_ms.toFixed(2), check.ours_ms.toFixed(4),
      (check.ours_ms - check.litert_benchmark_ms).toFixed(4)]));
table("missing", ["row", "what", "why"], rows.flatMap(row => {
  const reasons = Object.entries(row.reasons);
  if (reasons.length === 2 && reasons[0][1] === reasons[1][1]) {
    return [[row.name, words("anything"), words(reasons[0][1])]];
  }
  return reasons.map(([what, why]) => [row.name, words(what), words(why)]);
}));

for (const [name, pass] of Object.entries(data.passes)) {
  byId("environment").append(
    element("h3", {}, `${name}${pass.complete ? "" : " (interrupted)"}`),
    element("pre", {}, [...pass.environment, pass.sentence].join("\n")));
}
