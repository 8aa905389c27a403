"use strict";
/* The data, and helpers that build and format the elements of the page. */
const data = JSON.parse(document.getElementById("data").textContent);
const rows = data.rows;
const byId = id => document.getElementById(id);

/* Strings from the data become text nodes, never markup. */
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
