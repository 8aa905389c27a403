/* The tables, the flipped images and the machines. */
const timed = rows.filter(row => row.latency).sort((a, b) =>
  Number(b.subject.trained) - Number(a.subject.trained)
  || a.subject.network.localeCompare(b.subject.network) || a.latency.p50_us - b.latency.p50_us);
table("latency",
  ["row", "p50, µs", "p90", "p95", "p99", "time, reference = 1", "verdict", "bytes", "GMAC/s",
    "of the peak", "rounds"],
  timed.map(row => {
    const l = row.latency;
    return [row.name + (l.complete ? "" : " (interrupted)"),
      interval(microseconds(l.p50_us), microseconds(l.p50_low_us), microseconds(l.p50_high_us)),
      microseconds(l.p90_us), microseconds(l.p95_us), microseconds(l.p99_us),
      l.against === row.name ? "1"
        : interval(l.ratio.toFixed(3), l.ratio_low.toFixed(3), l.ratio_high.toFixed(3)),
      l.verdict, count(row.size_bytes),
      row.macs ? (row.macs / l.p50_us / 1000).toFixed(1) : "",
      l.of_peak ? percent(l.of_peak, 0) : "", count(l.calls)];
  }));

const judged = rows.filter(row => row.accuracy);
table("accuracy", ["row", "top-1", "drop, points", "McNemar p", "agreement", "only float32 right",
  "only this right", "flipped", "bytes"],
judged.map(row => {
  const a = row.accuracy;
  const held = "drop" in a;
  const asked = "asked" in a ? `, second model asked about ${percent(a.asked)}` : "";
  return [row.name + asked, interval(percent(a.top1), percent(a.top1_low), percent(a.top1_high)),
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
    `${count(flipped.length)} of ${count(row.accuracy.images)} images get another class than `
    + `from float32. The first ${shown.length}:`;
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
  byId("chosen").closest("section").querySelector("p").textContent = "No row differs from float32 of its network.";
}

table("peak", ["measured with", "precision", "loop", "GMAC/s", "of the fastest"],
  Object.entries(data.peak).flatMap(([network, peaks]) =>
    Object.entries(peaks).flatMap(([precision, peak]) =>
      Object.entries(peak.all).sort((a, b) => b[1] - a[1]).map(([by, rate]) =>
        [network, precision, by, (rate / 1e9).toFixed(1),
          percent(rate / peak.macs_per_s, 0)]))));
table("cross-check", ["row", "litert-benchmark, ms", "ours, ms", "difference, ms"],
  data.cross_check.map(check => "reason" in check ? [check.name, words(check.reason), "", ""]
    : [check.name, check.litert_benchmark_ms.toFixed(2), check.ours_ms.toFixed(4),
      (check.ours_ms - check.litert_benchmark_ms).toFixed(4)]));
table("missing", ["row", "missing", "reason"], rows.flatMap(row => {
  const reasons = Object.entries(row.reasons);
  if (reasons.length === 2 && reasons[0][1] === reasons[1][1]) {
    return [[row.name, words("everything"), words(reasons[0][1])]];
  }
  return reasons.map(([what, why]) => [row.name, words(what), words(why)]);
}));

for (const [name, pass] of Object.entries(data.passes)) {
  byId("environment").append(
    element("h3", {}, `${name}${pass.complete ? "" : " (interrupted)"}`),
    element("pre", {}, [...pass.environment, pass.sentence].join("\n")));
}
