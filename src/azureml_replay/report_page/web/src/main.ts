import "uplot/dist/uPlot.min.css";
import "./style.css";
import { bar } from "./bar";
import { drawAll, forget, isPrinting, onTheme, setPrinting } from "./charts";
import { block, json, type Block } from "./data";
import { detail, heading } from "./detail";
import { h, table, type Child } from "./dom";
import { Rows } from "./rows";
import { top, unfold } from "./top";
import { Tree } from "./tree";
import { VERDICTS, type Head, type Index } from "./types";
import { count, counted } from "./words";

const PRINTED = 2000; // rows of the list on paper
const DELAY_MS = 80; // of the detail, while a key is held down

async function start(): Promise<void> {
  const [head, index] = await Promise.all([json<Head>("head"), json<Index>("index")]);
  const rows = new Rows(index);
  const right = h("article", { id: "detail", tabindex: -1, "aria-label": "The chosen run" });
  let latest = -1;
  let drawn: [number, Block | null] = [-1, null];
  let timer = 0;

  async function open(at: number): Promise<void> {
    latest = at;
    const place = index.place[at];
    const found = place < 0 ? null : await block(Math.floor(place / 64), head.sharded);
    if (latest === at) render(at, found);
  }

  function render(at: number, found: Block | null): void {
    const place = index.place[at];
    drawn = [at, found];
    forget();
    const body: Child[] = found ? detail(found.details[place % 64], found) : [leftOut(head)];
    right.replaceChildren(heading(rows, at), ...body.filter((part): part is HTMLElement => part instanceof Node));
    right.scrollTop = 0;
    if (isPrinting()) drawAll();
  }

  const soon = (at: number): void => {
    clearTimeout(timer);
    timer = window.setTimeout(() => open(at).catch((problem) => failed(right, problem)), latest < 0 ? 0 : DELAY_MS);
  };
  const tree = new Tree(rows, soon, (matching, total) => above.tell(matching, total));
  const next = (): void => {
    const differs = (at: number): boolean => index.verdict[at] === 0;
    for (let step = 1; step <= rows.length; step++) {
      const at = (tree.selected + step) % rows.length;
      if (differs(at)) return tree.go(at);
    }
  };
  const above = bar(index, head.counts, (filter) => tree.show(filter), (folded) => tree.foldAll(folded), next);
  const list = h("section", { class: "paper" });
  const left = h("div", { class: "left" }, above.element, tree.element);
  document.getElementById("page")!.replaceChildren(top(head), h("main", {}, left, right), list);

  index.verdict.forEach((verdict, at) => verdict === 0 && rows.unfoldTo(at));
  tree.show({ text: "", verdicts: new Set(), status: -1, kind: -1, experiment: -1 });
  if (rows.length > 0) tree.go(index.verdict.includes(0) ? index.verdict.indexOf(0) : 0);
  else right.replaceChildren(h("p", {}, "This archive holds no run."));

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    if (event.key === "/") {
      event.preventDefault();
      above.search.focus();
    } else if (event.key === "n" && head.counts[0] > 0) next();
  });
  const redraw = (): void => void (drawn[0] >= 0 && render(...drawn)); // at once: paper does not wait
  onTheme(redraw);
  let width = window.innerWidth;
  let resized = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(resized);
    resized = window.setTimeout(redraw, 150);
  });
  window.addEventListener("beforeprint", () => {
    setPrinting(true);
    unfold();
    redraw();
    list.replaceChildren(...paper(rows));
  });
  window.addEventListener("afterprint", () => {
    setPrinting(false);
    list.replaceChildren();
    redraw();
  });
  document.documentElement.dataset.ready = "yes";
}

function leftOut(head: Head): HTMLElement {
  return h(
    "p",
    { class: "note" },
    `The detail of this run is not in this file: ${counted(head.left_out, "run")} did not fit. report --shards writes a folder that holds everything.`,
  );
}

/** What paper gets instead of a tree that scrolls: every run that is not simply equal. */
function paper(rows: Rows): HTMLElement[] {
  const { index } = rows;
  const places = index.verdict.flatMap((verdict, at) => (verdict < 4 ? [at] : []));
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
  ];
}

function failed(place: HTMLElement, problem: unknown): void {
  place.replaceChildren(h("p", { class: "note bad", role: "alert" }, `This could not be shown: ${problem instanceof Error ? problem.message : problem}`));
}

start().catch((problem) => failed(document.getElementById("page")!, problem));
