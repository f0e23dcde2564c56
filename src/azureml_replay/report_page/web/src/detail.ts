// Everything of one run: what differs first.
import { addressOf } from "./address";
import { references } from "./assets";
import { canBeLogarithmic, figure, isLogarithmic, setLogarithmic } from "./charts";
import type { Block } from "./data";
import { clean, copy, h, link, table, type Child } from "./dom";
import type { Rows } from "./rows";
import { VERDICTS, type Detail, type FileRow, type Pair, type Sheet, type Single, type State, type Table } from "./types";
import { bytes, count, counted, seconds } from "./words";

const STATE: Record<State, string> = { equal: "✓ equal", differs: "✕ differs", lost: "✕ differs", unverified: "○ not compared" };

/** What the heading offers for a second run: to keep this one, or to close it. */
export interface Aside {
  label: string;
  title: string;
  click: () => void;
}

/** The heading of a run, from its row alone. */
export function heading(rows: Rows, at: number, go: (at: number) => void, leave: () => void, aside: Aside): HTMLElement {
  const { index } = rows;
  const below = rows.differingBelow(at);
  const worse = `✕ ${counted(below, "run")} below ${below === 1 ? "differs" : "differ"}`;
  const verdict = VERDICTS[index.verdict[at]];
  const parts = [
    index.findings[at] && counted(index.findings[at], "finding"),
    index.accepted[at] && counted(index.accepted[at], "accepted change"),
    index.omissions[at] && counted(index.omissions[at], "omission"),
    counted(index.series[at], "metric"),
    counted(index.points[at], "point"),
    counted(index.files[at], "file"),
  ];
  return h(
    "header",
    { class: "run-title" },
    h("button", { type: "button", class: "quiet back", click: leave }, "‹ all runs"),
    path(rows, at),
    h("h2", {}, h("bdi", {}, rows.name(at))),
    h(
      "p",
      {},
      h("span", { class: `badge ${verdict.css}` }, `${verdict.glyph} ${verdict.word}`),
      " ",
      h("span", { class: "muted" }, parts.filter(Boolean).join(" · ")),
    ),
    below > 0 && h("p", {}, h("button", { type: "button", class: "quiet bad", click: () => go(rows.firstDiffering(at)) }, `${worse}: show the first`)),
    h("p", { class: "ids" }, h("code", {}, index.id[at]), copy(index.id[at], "the id", "copy id"), copy(addressOf(index.id[at]), "a link to this run", "copy link"), h("button", { type: "button", class: "quiet aside", title: aside.title, click: aside.click }, aside.label)),
  );
}

function path(rows: Rows, at: number): HTMLElement {
  const names = [rows.index.experiments[rows.index.experiment[at]]];
  for (let above = rows.index.parent[at]; above >= 0; above = rows.index.parent[above]) names.splice(1, 0, rows.name(above));
  return h("p", { class: "path muted" }, names.join(" › "));
}

export function detail(one: Detail, from: Block, rows: Rows, at: number, redraw: () => void): Child[] {
  const took = seconds(rows.index.seconds[at]);
  const facts = one.facts.flatMap((fact): Pair[] => (fact[0] === "Ended" && took ? [fact, ["Took", took]] : [fact]));
  return [
    one.links.length > 0 &&
      h("p", { class: "links" }, ...one.links.flatMap(([side, address]): Child[] => [link(address, `${side} ↗`), " "])),
    section("Findings", one.findings.length, one.findings.length > 0 && findings(one.findings)),
    section("Omissions, as planned", one.omissions.length, one.omissions.length > 0 && omissions(one.omissions)),
    metricControls(one, redraw),
    section("Curves", one.curves.length, h("div", { class: "charts" }, ...one.curves.map((curve) => figure(curve, from)))),
    section("Single values", one.singles.length, singles(one.singles)),
    ...one.tables.map(tableOf),
    one.error !== "" && section("Error", 1, h("pre", {}, one.error), false),
    one.description !== "" && section("Description", 1, h("p", { class: "prose" }, one.description), false),
    section("Run", facts.length, pairs("Run", facts), false),
    section("Parameters", one.parameters.length, pairs("Parameters", one.parameters)),
    section("Tags", one.tags.length, pairs("Tags", one.tags)),
    section("Properties", one.properties.length, pairs("Properties", one.properties)),
    section("Inputs and outputs", one.assets.length, pairs("Inputs and outputs", one.assets)),
    section("What it refers to, and what became of it", one.references.length, one.references.length > 0 && references(one.references)),
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

function omissions(rows: [string, string, boolean][]): HTMLElement {
  const why = ([, reason, chosen]: [string, string, boolean]): Child => h("span", { class: chosen ? "muted" : "" }, reason);
  return table("Omissions", ["What the target lacks", "Why"], rows.map((row) => [row[0], why(row)]));
}

const FEW = 6; // metrics that need no search

/** A search among the metrics of a run, and the scale of its curves. */
function metricControls(one: Detail, redraw: () => void): HTMLElement | null {
  const many = one.curves.length + one.singles.length + one.tables.length > FEW;
  const scalable = one.curves.some(canBeLogarithmic);
  if (!many && !scalable) return null;
  const search: HTMLInputElement = h("input", { type: "search", placeholder: "Search metrics", "aria-label": "Search metrics by name", input: () => find(search.value) });
  const scale: HTMLInputElement = h("input", {
    type: "checkbox",
    change: () => {
      setLogarithmic(scale.checked);
      redraw();
    },
  });
  scale.checked = isLogarithmic();
  return h("div", { class: "controls" }, many && search, scalable && h("label", { class: "check" }, scale, " log scale"));
}

function find(text: string): void {
  const wanted = text.trim().toLowerCase();
  for (const element of document.querySelectorAll<HTMLElement>("article [data-metric]"))
    element.hidden = !element.dataset.metric!.toLowerCase().includes(wanted);
}

/** Lets `find` hide the rows of a table by the name in their first cell. */
function findable(held: HTMLElement): HTMLElement {
  for (const row of held.querySelectorAll<HTMLElement>("tbody tr")) row.dataset.metric = row.firstElementChild?.textContent ?? "";
  return held;
}

function singles(rows: Single[]): HTMLElement {
  const lines = rows.map((one) => [one.name, one.where, h("code", {}, one.value), sideOf(one.state, one.target)]);
  return findable(table("Single values", ["Metric", "At", "Source", "Target"], lines, "singles"));
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
  const css = one.kind.endsWith("confusion_matrix") && one.columns.length > 1 ? "numbers matrix" : "numbers";
  return h("section", { "data-metric": one.name }, title, state, ...pictures, table(one.name, one.columns, one.rows, css), more);
}

function pairs(caption: string, rows: Pair[]): HTMLElement {
  return table(caption, ["Name", "Value"], rows.map(([name, value]) => [name, h("span", { class: "value" }, value)]), "pairs");
}

const FILE_STATES: Record<Exclude<FileRow["state"], "">, [string, string]> = {
  equal: ["good", "✓ equal"],
  size: ["good", "✓ equal size"],
  differs: ["bad", "✕ differs"],
  absent: ["bad", "✕ absent"],
  left: ["muted", "◐ left out"],
  unverified: ["muted", "○ not compared"],
};

function fileState({ state }: FileRow): Child[] {
  if (state === "") return [];
  const [css, word] = FILE_STATES[state];
  return [h("span", { class: css, title: state === "size" ? "no checksum was compared: only verify --deep can" : "" }, word)];
}

function files(one: Detail): HTMLElement {
  const compared = one.files.some((file) => file.state !== "");
  const rows = one.files.map((file) => [
    file.path,
    file.bytes === null ? h("span", { class: "bad" }, "–") : h("span", { title: `${count(file.bytes)} bytes` }, bytes(file.bytes)),
    ...(compared ? [h("span", {}, ...fileState(file))] : []),
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
    ...one.files.filter((file) => file.image !== "").map(picture),
    ...one.sheets.map(sheet),
    table("Files", ["Path", "Size", ...(compared ? ["In the target"] : []), "MD5"], rows, "files"),
    more > 0 && h("p", { class: "note" }, `and ${counted(more, "file")} more: the archive lists them all.`),
  );
}

function picture(file: FileRow): HTMLElement {
  return h("figure", { class: "picture" }, h("figcaption", { class: "muted" }, file.path), h("img", { src: file.image, alt: clean(`picture ${file.path}`) }));
}

/** The beginning of a table that the run keeps as a file. */
function sheet(one: Sheet): HTMLElement {
  const parts = [
    one.rows.length < one.of && `the first ${count(one.rows.length)} of ${counted(one.of, "row")}`,
    one.columns.length < one.of_columns && `the first ${count(one.columns.length)} of ${counted(one.of_columns, "column")}`,
  ].filter(Boolean);
  const more = parts.length > 0 && h("p", { class: "note" }, `${parts.join(", ")}: the file holds the rest.`);
  return h("figure", { class: "sheet" }, h("figcaption", { class: "muted" }, one.path), table(one.path, one.columns, one.rows, "numbers"), more);
}
