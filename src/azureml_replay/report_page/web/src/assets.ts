// What runs refer to: what became of each asset, which run made it, and which runs use it.
import { addressOf } from "./address";
import { h, link, table, type Child } from "./dom";
import type { Rows } from "./rows";
import { VERDICTS, type AssetEntry, type Head, type Pair, type Reference } from "./types";
import { count, counted } from "./words";

const SEARCHED = 12; // rows that need no search
const WORST = 0; // as in VERDICTS

/** The section of all assets; nothing where there are none. */
export function assets(head: Head, rows: Rows): HTMLElement | null {
  const { assets: shown, assets_of: size, elsewhere } = head;
  if (size === 0 && elsewhere.length === 0) return null;
  const lines = table("Assets", ["Asset", "Verdict", "In the target", "Made by", "Used by", "Refers to"], shown.map((one) => cells(one, rows)), "assets-table");
  lines.querySelectorAll<HTMLElement>("tbody tr").forEach((row, at) => {
    row.dataset.asset = shown[at].id;
    row.tabIndex = -1;
  });
  const search: HTMLInputElement = h("input", { type: "search", placeholder: "Search assets", "aria-label": "Search assets by name, run or verdict", input: () => find(lines, search.value) });
  const more = size > shown.length && h("p", { class: "note" }, `The first ${count(shown.length)} of ${count(size)}, what differs first: azureml-replay assets lists all.`);
  const body = h(
    "details",
    { class: "more assets" },
    h("summary", {}, summary(head)),
    shown.length > SEARCHED && h("div", { class: "controls" }, search),
    size > 0 && lines,
    more,
    elsewhere.length > 0 &&
      h(
        "section",
        {},
        h("h2", {}, "Named, and none of the source's"),
        table("Named, and none of the source's", ["Name", "Where it is", "Times named"], elsewhere.map(([where, text, size]) => [h("code", {}, text), where, count(size)])),
      ),
  );
  return h("section", { "aria-label": "What runs refer to" }, body);
}

/** `Models, environments, data, …: 6 assets, 1 differs, 2 with omissions`. */
function summary(head: Head): string {
  const told = VERDICTS.map(({ word }, at): [string, number] => [word, head.assets.filter((one) => one.verdict === at).length]);
  const parts = told.filter(([, size]) => size > 0).map(([word, size]) => `${count(size)} ${word}`);
  return `What runs refer to: ${[counted(head.assets_of, "asset"), ...parts].join(", ")}`;
}

function cells(one: AssetEntry, rows: Rows): Child[] {
  return [
    h("span", {}, h("b", {}, one.id), one.archived && h("span", { class: "muted" }, " archived"), ...pages(one.links)),
    badge(one.verdict),
    h("span", {}, one.became, ...one.notes.map((note) => h("span", { class: `block ${one.verdict === WORST ? "bad" : "muted"}` }, note))),
    one.made === "" ? h("span", { class: "muted" }, "–") : runLink(one.made, rows),
    users(one, rows),
    h("span", {}, ...one.needs.map((id) => h("span", { class: "block" }, assetLink(id)))),
  ];
}

function users(one: AssetEntry, rows: Rows): HTMLElement {
  if (one.used_of === 0) return h("span", { class: "muted" }, "no run");
  const rest = one.used_of - one.used.length;
  return h("span", {}, ...one.used.map((run) => h("span", { class: "block" }, runLink(run, rows))), rest > 0 && h("span", { class: "muted" }, `and ${counted(rest, "run")} more`));
}

/** A run of this page; the id alone of one that it does not hold. */
function runLink(id: string, rows: Rows): HTMLElement {
  const at = rows.place.get(id);
  return at === undefined ? h("code", {}, id) : h("a", { href: addressOf(id), title: id }, rows.name(at));
}

function badge(verdict: number): HTMLElement {
  const { css, glyph, word } = VERDICTS[verdict];
  return h("span", { class: `${css} nowrap` }, `${glyph} ${word}`);
}

function pages(links: Pair[]): Child[] {
  return links.map(([side, address]) => h("span", { class: "block" }, link(address, `${side} ↗`)));
}

/** What a run names or made. */
export function references(rows: Reference[]): HTMLElement {
  return table(
    "What it refers to",
    ["What, and where it is named", "What became of it"],
    rows.map((one) => [
      h("span", {}, one.asset === "" ? h("code", {}, one.what) : assetLink(one.asset), h("span", { class: "block muted" }, one.where), ...pages(one.links)),
      h("span", {}, one.verdict >= 0 && badge(one.verdict), one.verdict >= 0 && " ", one.became),
    ]),
    "references",
  );
}

/** Leads to the asset's row in the section above. */
function assetLink(id: string): HTMLElement {
  const row = (): HTMLElement | undefined => [...document.querySelectorAll<HTMLElement>("[data-asset]")].find((one) => one.dataset.asset === id);
  return h("button", { type: "button", class: "quiet to-asset", title: "Show it among the assets", click: () => show(row()) }, id);
}

function show(row: HTMLElement | undefined): void {
  const section = row?.closest("details");
  if (!row || !section) return;
  section.open = true;
  row.hidden = false;
  row.scrollIntoView({ block: "center" });
  row.focus();
}

function find(lines: HTMLElement, text: string): void {
  const wanted = text.trim().toLowerCase();
  for (const row of lines.querySelectorAll<HTMLElement>("tbody tr")) row.hidden = !(row.textContent ?? "").toLowerCase().includes(wanted);
}
