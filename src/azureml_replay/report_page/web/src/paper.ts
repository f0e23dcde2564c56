// What paper gets instead of a list that scrolls: findings, then runs that are not simply equal, and room to sign.
import { h, table } from "./dom";
import type { Rows } from "./rows";
import { VERDICTS, type Head } from "./types";
import { count } from "./words";

const PRINTED = 2000; // rows of the list on paper
const EQUAL = 4; // as in VERDICTS

/** Every run that is not simply equal, and a line to sign on. */
export function runs(rows: Rows): HTMLElement[] {
  const { index } = rows;
  const places = index.verdict.flatMap((verdict, at) => (verdict < EQUAL ? [at] : []));
  const lines = places
    .slice(0, PRINTED)
    .map((at) => [
      rows.name(at),
      index.id[at],
      VERDICTS[index.verdict[at]].word,
      index.statuses[index.status[at]],
      count(index.findings[at]),
      count(index.omissions[at]),
    ]);
  const rest = places.length - lines.length;
  return [
    h("h3", {}, `Runs that differ, are open, or lack something: ${count(places.length)} of ${count(rows.length)}`),
    table("Runs", ["Run", "Id", "Verdict", "Status", "Findings", "Omissions"], lines),
    ...(rest > 0 ? [h("p", { class: "note" }, `and ${count(rest)} more`)] : []),
    h("p", { class: "sign" }, h("span", {}, "Place, date"), h("span", {}, "Name"), h("span", {}, "Signature")),
  ];
}

/** Every finding. */
export function proof(head: Head, rows: Rows): HTMLElement[] {
  const { printed_findings: findings } = head;
  const total = head.figures.find(([what]) => what === "findings")?.[1] ?? 0;
  const lines = findings.map(([run, what, kind, expected, actual]) => {
    const at = rows.place.get(run);
    return [at === undefined ? "" : rows.name(at), run, what, kind, expected || "nothing", actual || "nothing"];
  });
  if (lines.length === 0) return [];
  const rest = total - lines.length;
  return [
    h("h3", {}, `Findings: ${count(total)}`),
    table("All findings", ["Run", "Id", "What", "How", "Source, as planned", "Target"], lines),
    ...(rest > 0 ? [h("p", { class: "note" }, `and ${count(rest)} more, all in the archive`)] : []),
  ];
}
