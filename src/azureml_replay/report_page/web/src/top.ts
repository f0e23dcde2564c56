// The verdict, the figures, and how the commands went.
import { strokeOf, widths } from "./charts";
import { findings } from "./detail";
import { copy, h, link, table, type Child } from "./dom";
import type { Command, Head } from "./types";
import { bytes, count, counted, seconds } from "./words";

const GLYPH = { yes: "✓", no: "✕", open: "○" };
const CSS = { yes: "good", no: "bad", open: "open" };

export function top(head: Head): HTMLElement {
  return h(
    "header",
    { class: "top" },
    h(
      "div",
      { class: "line" },
      h("h1", {}, "Migration report"),
      h(
        "p",
        { class: "ends" },
        end(...head.source),
        head.target ? " → " : "",
        head.target && end(...head.target),
      ),
      h("p", { class: "muted made" }, times(head)),
    ),
    h(
      "p",
      { class: `verdict ${CSS[head.good]}`, role: "status" },
      h("span", { class: "glyph", "aria-hidden": "true" }, GLYPH[head.good]),
      h("strong", {}, head.sentence),
    ),
    h("dl", { class: "figures" }, ...head.figures.map((one) => figure(one, head.reasons.some(([, , asked]) => !asked)))),
    h("p", { class: "note roots" }, ...roots(head.roots)),
    head.left_out > 0 &&
      h(
        "p",
        { class: "note left-out" },
        `The details of ${counted(head.left_out, "run")} did not fit into the ${bytes(head.max_bytes)} that this file may have; runs that differ come first. `,
        "report --shards writes a folder that holds everything, --max-size a larger file.",
      ),
    more(head),
  );
}

const minute = (moment: string): string => `${moment.slice(0, 16).replace("T", " ")} UTC`;

/** When the target was last looked at, and when this page was made of it. */
function times(head: Head): string {
  const made = `page written ${minute(head.made)}`;
  return head.proved ? `last verification ${minute(head.proved)} · ${made}` : made;
}

function end(name: string, address: string): HTMLElement {
  const short = name.split("/").pop() ?? name;
  return h("span", { title: name }, address ? link(address, short) : h("b", {}, short), h("span", { class: "whole" }, ` (${name})`));
}

/** What `azureml-replay check` prints: they say which state of the archive this page was made of. */
function roots([content, proof]: [string, string]): Child[] {
  const root = (what: string, digest: string): Child => h("span", {}, `${what} `, h("code", {}, digest), copy(digest, `the ${what}`));
  return [root("content root", content), proof !== "" && root("proof root", proof)];
}

/** `unasked`: something is omitted that nobody asked to leave out. */
function figure([what, size, note]: [string, number, string], unasked: boolean): HTMLElement {
  const css = what === "findings" ? (size > 0 ? "bad" : "good") : what === "omitted" && unasked ? "part" : what === "equal runs" && size > 0 ? "good" : "";
  return h(
    "div",
    { title: note },
    h("dd", { class: css }, what === "bytes" ? bytes(size) : count(size)),
    h("dt", {}, what, note !== "" && h("span", { class: "muted" }, ` ${note}`)),
  );
}

/** Paper folds nothing. The event comes by itself, but later than the paper. */
export function unfold(): void {
  for (const details of document.querySelectorAll<HTMLDetailsElement>("details.more:not([open])")) {
    details.open = true;
    details.dispatchEvent(new Event("toggle"));
  }
}

function more(head: Head): HTMLElement {
  const chart = h("div", { class: "canvas", role: "img", "aria-label": "Requests at a time, by service, over time" });
  const busy = head.widths.filter(([, , , changes]) => changes.length > 0).sort((a, b) => b[1] - a[1]).slice(0, 6);
  let drawn = false;
  const details = h(
    "details",
    {
      class: "more",
      toggle: () => {
        if (drawn || busy.length === 0) return;
        drawn = true;
        widths(chart, busy.map(([name, , , changes]) => [name, changes]));
      },
    },
    h("summary", {}, "How it went, what was left out and why"),
    h(
      "div",
      { class: "columns" },
      head.reasons.length > 0 &&
        part("Omissions by reason", table("Omissions by reason", ["Items", "Why"], head.reasons.map(([why, size, chosen]) => [count(size), h("span", { class: chosen ? "muted" : "" }, why)]), "counts")),
      head.commands.length > 0 &&
        wide("Sessions", table("Sessions", ["Command", "Began (UTC)", "Took", "What", "Requests", "Refused"], head.commands.flatMap(commandRows), "commands")),
      busy.length > 0 &&
        part(
          "Requests at a time",
          chart,
          h("p", { class: "keys" }, ...busy.map(([name, requests, refused], at) => key(name, requests, refused, at))),
          h("p", { class: "note" }, `Of ${head.widths_of}. Refused: the service answered "too many requests" (429 or 503); each was sent again later.`),
        ),
      head.accepted.length > 0 &&
        wide("Changes in the target that were accepted", table("Accepted changes", ["Run", "What", "Source, as planned", "Target", "By", "When (UTC)"], head.accepted.map(([run, what, expected, actual, by, at]) => [run, what, expected, actual, by, at.slice(0, 19).replace("T", " ")]))),
      (head.loose_of[0] > 0 || head.loose_of[1] > 0) && part("Of no run", ...loose(head)),
      head.unknown.length > 0 &&
        part(
          "Keys of the service that this version does not know",
          table("Unknown keys", ["Of", "Key", "Documents"], head.unknown.map(([of, name, size]) => [of, name, count(size)])),
          h("p", { class: "note" }, "Kept whole in the archive's documents."),
        ),
      part("Made by", h("p", {}, `azureml-replay ${head.version}, from ${head.source[0]}${head.target ? ` to ${head.target[0]}` : ""}.`)),
    ),
  );
  return details;
}

function wide(title: string, ...body: Child[]): HTMLElement {
  const section = part(title, ...body);
  section.classList.add("wide");
  return section;
}

function part(title: string, ...body: Child[]): HTMLElement {
  return h("section", {}, h("h2", {}, title), ...body);
}

function key(name: string, requests: number, refused: number, at: number): HTMLElement {
  const dot = h("i", {});
  dot.style.color = strokeOf(at);
  return h("span", {}, dot, `${name}: ${counted(requests, "request")}, ${count(refused)} refused`);
}

function commandRows(one: Command): Child[][] {
  const outcome = one.outcome === "done" ? "" : ` (${one.outcome})`;
  const whole = [one.command + outcome, one.began.slice(0, 19).replace("T", " "), seconds(one.seconds)];
  const tail = [count(one.requests), count(one.refused)];
  if (one.parts.length === 1) return [[...whole, moved(one.parts[0][2], one.parts[0][1]), ...tail]];
  return [[...whole, "", ...tail], ...one.parts.map(([verb, took, counts]) => [`· ${verb}`, "", seconds(took), moved(counts, took), "", ""])];
}

/** `300 runs (30/s), 1,000 points, 3 failed`: what has no plural is no noun. */
function moved(counts: Record<string, number>, took: number): string {
  return Object.entries(counts)
    .filter(([, size]) => size > 0)
    .map(([what, size], at) => {
      const rate = at === 0 && took > 0 ? ` (${count(Math.round((size / took) * 10) / 10)}/s)` : "";
      if (what === "bytes") return bytes(size);
      return `${what.endsWith("s") ? counted(size, what.slice(0, -1)) : `${count(size)} ${what}`}${rate}`;
    })
    .join(", ");
}

function loose(head: Head): Child[] {
  const rest = head.loose_of[0] + head.loose_of[1] - head.loose_findings.length - head.loose_omissions.length;
  return [
    head.loose_findings.length > 0 && findings(head.loose_findings),
    head.loose_omissions.length > 0 && table("Omissions of no run", ["Of", "What", "Why"], head.loose_omissions),
    rest > 0 && h("p", { class: "note" }, `and ${count(rest)} more, all in the archive`),
  ];
}
