/* The plot of accuracy against latency, its filters and its tooltip. */
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
    "text-anchor": "middle" }, "µs per image (p50, batch 1, one thread)"));
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
    const network = nets.length > 1 ? `${row.subject.network} ` : "";
    const text = network + row.subject.precision + (row.subject.delegate === "cpu" ? ", cpu" : "");
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
    "asked" in accuracy ? `second model asked about ${percent(accuracy.asked)}` : "",
    `p50 ${microseconds(latency.p50_us)} µs, p95 ${microseconds(latency.p95_us)} µs`,
    `${count(row.size_bytes)} bytes`,
    latency.of_peak ? `${percent(latency.of_peak, 0)} of the peak` : "",
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
