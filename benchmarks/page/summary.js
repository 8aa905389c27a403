/* The first lines of the page: how many rows there are, on which machine, and warnings. */
const measured = rows.filter(row => row.latency || row.accuracy);
const machine = Object.entries(data.passes).find(([name]) => name.startsWith("latency"));
byId("lead").textContent = `${measured.length} rows`
  + (machine ? ` on ${machine[1].environment[0]}` : "")
  + `; ${rows.length - measured.length} could not be measured.`;
const warnings = [];
for (const [name, pass] of Object.entries(data.passes)) {
  if (!pass.complete) warnings.push(`The pass “${name}” was interrupted; its results are incomplete.`);
  if (pass.disturbed) warnings.push(`${name}: ${pass.sentence}`);
}
const unjudged = rows.filter(row => row.latency && !row.accuracy && row.subject.trained);
if (unjudged.length) {
  warnings.push(`Accuracy is missing for ${unjudged.length} rows; “Not measured” has the reasons.`);
}
byId("warnings").hidden = warnings.length === 0;
byId("warnings").replaceChildren(...warnings.map(text => element("li", {}, text)));
