// Everything of one run: what differs first.
import { figure } from "./charts";
import type { Block } from "./data";
import { clean, h, link, table, type Child } from "./dom";
import type { Rows } from "./rows";
import { VERDICTS, type Detail, type Pair, type Single, type State, type Table } from "./types";
import { bytes, count, counted } from "./words";

const STATE: Record<State, string> = { equal: "✓ equal", differs: "✕ differs", lost: "✕ differs", unverified: "○ not compared" };

/** The heading of a run, from its row alone. */
export function heading(rows: Rows, at: number): HTMLElement {
  const { index } = rows;
  const verdict = VERDICTS[index.verdict[at]];
  const parts = [
    index.findings[at] && counted(index.findings[at], "finding"),
    index.omissions[at] && counted(index.omissions[at], "omission"),
    counted(index.series[at], "metric"),
    counted(index.points[at], "point"),
    counted(index.files[at], "file"),
  ];
  return h(
    "header",
    { class: "run-title" },
    path(rows, at),
    h("h2", {}, h("bdi", {}, rows.name(at))),
    h(
      "p",
      {},
      h("span", { class: `badge ${verdict.css}` }, `${verdict.glyph} ${verdict.word}`),
      " ",
      h("span", { class: "muted" }, parts.filter(Boolean).join(" · ")),
    ),
  );
}

function path(rows: Rows, at: number): HTMLElement {
  const names = [rows.index.experiments[rows.index.experiment[at]]];
  for (let above = rows.index.parent[at]; above >= 0; above = rows.index.parent[above]) names.splice(1, 0, rows.name(above));
  return h("p", { class: "path muted" }, names.join(" › "));
}

export function detail(one: Detail, from: Block): Child[] {
  return [
    one.links.length > 0 &&
      h("p", { class: "links" }, ...one.links.flatMap(([side, address]): Child[] => [link(address, `${side} in Studio ↗`), " "])),
    section("Findings", one.findings.length, one.findings.length > 0 && findings(one.findings)),
    section("Omissions, as planned", one.omissions.length, one.omissions.length > 0 && omissions(one.omissions)),
    section("Curves", one.curves.length, h("div", { class: "charts" }, ...one.curves.map((curve) => figure(curve, from)))),
    section("Single values", one.singles.length, singles(one.singles)),
    ...one.tables.map(tableOf),
    one.error !== "" && section("Error", 1, h("pre", {}, one.error), false),
    one.description !== "" && section("Description", 1, h("p", { class: "prose" }, one.description), false),
    section("Run", one.facts.length, pairs("Run", one.facts), false),
    section("Parameters", one.parameters.length, pairs("Parameters", one.parameters)),
    section("Tags", one.tags.length, pairs("Tags", one.tags)),
    section("Properties", one.properties.length, pairs("Properties", one.properties)),
    section("Inputs and outputs", one.assets.length, pairs("Inputs and outputs", one.assets)),
    section("Lineage, as written to the target", one.lineage.length, pairs("Lineage", one.lineage)),
    section("Files", one.files_of, files(one)),
  ];
}

function section(title: string, size: number, body: Child, counting = true): HTMLElement | null {
  if (size === 0 || !body) return null;
  return h("section", {}, h("h3", {}, title, counting && h("span", { class: "count" }, ` ${count(size)}`)), body);
}

export function findings(rows: [string, string, string, string][]): HTMLElement {
  return table(
    "Findings",
    ["What", "How", "Source, as planned", "Target"],
    rows.map(([what, kind, expected, actual]) => [
      what,
      h("span", { class: "bad" }, `✕ ${kind}`),
      expected === "" ? h("span", { class: "muted" }, "nothing") : h("code", {}, expected),
      actual === "" ? h("span", { class: "muted" }, "nothing") : h("code", {}, actual),
    ]),
    "found",
  );
}

function omissions(rows: Pair[]): HTMLElement {
  return table("Omissions", ["What the target lacks", "Why"], rows.map(([what, why]) => [what, why]));
}

function singles(rows: Single[]): HTMLElement {
  return table(
    "Single values",
    ["Metric", "At", "Source", "Target"],
    rows.map((one) => [one.name, one.where, h("code", {}, one.value), sideOf(one.state, one.target)]),
  );
}

function sideOf(state: State, target: string): HTMLElement {
  const css = state === "equal" ? "good" : state === "unverified" ? "muted" : "bad";
  return h("span", { class: css }, STATE[state], target !== "" && state === "differs" && h("code", {}, ` ${target}`));
}

function tableOf(one: Table): HTMLElement {
  const title = h("h3", {}, one.name, " ", h("span", { class: "count" }, `${one.kind} · ${counted(one.of, "row")}`));
  const state = h("p", {}, sideOf(one.state, ""));
  const more = one.rows.length < one.of && h("p", { class: "note" }, `The first ${count(one.rows.length)} rows; the archive holds ${count(one.of)}.`);
  const pictures = one.images.map((source) => h("img", { src: source, alt: clean(`picture logged as ${one.name}`) }));
  return h("section", {}, title, state, ...pictures, table(one.name, one.columns, one.rows, "numbers"), more);
}

function pairs(caption: string, rows: Pair[]): HTMLElement {
  return table(caption, ["Name", "Value"], rows.map(([name, value]) => [name, h("span", { class: "value" }, value)]), "pairs");
}

function files(one: Detail): HTMLElement {
  const rows = one.files.map((file) => [
    file.path,
    file.bytes === null ? h("span", { class: "bad" }, "–") : h("span", { title: `${count(file.bytes)} bytes` }, bytes(file.bytes)),
    h(
      "span",
      {},
      file.md5 !== "" && h("code", {}, file.md5),
      file.md5 !== "" && file.note !== "" && " ",
      (file.note !== "" || file.md5 === "") && h("span", { class: "muted" }, file.note || "none known"),
    ),
  ]);
  const more = one.files_of - one.files.length;
  return h(
    "div",
    {},
    table("Files", ["Path", "Size", "MD5"], rows, "files"),
    more > 0 && h("p", { class: "note" }, `and ${counted(more, "file")} more: the archive lists them all.`),
  );
}
