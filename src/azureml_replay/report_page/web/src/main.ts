import "uplot/dist/uPlot.min.css";
import "./style.css";
import { leaveAddress, runInAddress, showInAddress } from "./address";
import { assets } from "./assets";
import { bar } from "./bar";
import { drawAll, forget, isPrinting, onTheme, setPrinting } from "./charts";
import { block, json, type Block } from "./data";
import { detail, heading, type Aside } from "./detail";
import { clean, h, type Child } from "./dom";
import { help } from "./help";
import { proof, runs } from "./paper";
import { Rows } from "./rows";
import { splitter } from "./splitter";
import { top, unfold } from "./top";
import { Tree } from "./tree";
import type { Head, Index } from "./types";
import { counted } from "./words";

const SMALL = window.matchMedia("(max-width: 900px)"); // as in style.css: the list or the run, not both
const DELAY_MS = 80; // of the detail, while a key is held down

async function start(): Promise<void> {
  const [head, index] = await Promise.all([json<Head>("head"), json<Index>("index")]);
  const rows = new Rows(index);
  const right = h("article", { id: "detail", tabindex: -1, "aria-label": "The chosen run" });
  let latest = -1;
  const beside = h("article", { id: "beside", tabindex: -1, "aria-label": "The run that is kept for comparison" });
  let drawn: [number, Block | null] = [-1, null];
  let kept: [number, Block | null] | null = null;
  let timer = 0;
  let started = false;

  async function open(at: number): Promise<void> {
    latest = at;
    const place = index.place[at];
    const found = place < 0 ? null : await block(Math.floor(place / 64), head.sharded);
    if (latest === at) render(at, found);
  }

  function render(at: number, found: Block | null): void {
    const another = drawn[0] !== at;
    drawn = [at, found];
    fill(right, at, found, { label: "side by side", title: "Keep this run here while another is chosen", click: () => keep(drawn) });
    if (another) right.scrollTop = 0;
  }

  function fill(place: HTMLElement, at: number, found: Block | null, aside: Aside): void {
    forget(place);
    const body: Child[] = found ? detail(found.details[index.place[at] % 64], found, rows, at, redraw) : [leftOut(head)];
    const top = heading(rows, at, tree.go.bind(tree), leave, aside);
    place.replaceChildren(top, ...body.filter((part): part is HTMLElement => part instanceof Node));
    if (isPrinting()) drawAll();
  }

  /** A second run beside the chosen one; none with null. */
  function keep(run: [number, Block | null] | null): void {
    kept = run;
    main.classList.toggle("pair", run !== null);
    redraw();
  }

  const soon = (at: number): void => {
    clearTimeout(timer);
    if (started && (!SMALL.matches || main.classList.contains("reading"))) showInAddress(index.id[at], false);
    timer = window.setTimeout(() => open(at).catch((problem) => failed(right, problem)), latest < 0 ? 0 : DELAY_MS);
  };
  const enter = (at: number): void => {
    if (!SMALL.matches) return;
    showInAddress(index.id[at], true);
    read(true);
  };
  const read = (reading: boolean): void => {
    main.classList.toggle("reading", reading);
    if (reading) main.scrollIntoView();
  };
  const leave = (): void => {
    read(false);
    leaveAddress();
    tree.element.focus();
  };
  const told = (matching: number, total: number): void => {
    above.tell(matching, total);
    none.hidden = matching > 0 || total === 0;
  };
  const tree = new Tree(rows, soon, enter, told);
  const next = (): void => {
    const differs = (at: number): boolean => index.verdict[at] === 0;
    for (let step = 1; step <= rows.length; step++) {
      const at = (tree.selected + step) % rows.length;
      if (differs(at)) return tree.go(at);
    }
  };
  const above = bar(index, head.counts, (filter) => tree.show(filter), (folded) => tree.foldAll(folded), next, () => keys.showModal());
  const keys = help();
  const none = h("p", { class: "none", role: "status" }, "No run matches. ", h("button", { type: "button", class: "quiet", click: () => above.clear() }, "clear filters"));
  none.hidden = true;
  const list = h("section", { class: "paper" });
  const findings = h("section", { class: "proof" });
  const left = h("div", { class: "left" }, above.element, none, tree.element);
  const main = h("main", {}, left);
  main.append(splitter(main, redraw), right, beside);
  document.getElementById("page")!.replaceChildren(top(head), ...section(assets(head, rows)), findings, list, main, keys);

  index.verdict.forEach((verdict, at) => verdict === 0 && rows.unfoldTo(at));
  tree.show({ text: "", verdicts: new Set(), status: -1, kind: -1, experiment: -1 });
  const named = (): number | undefined => rows.place.get(runInAddress() ?? "");
  const worst = Math.max(0, index.verdict.indexOf(0));
  /** Shows the run that the address names; where there is none of that id, says so, and chooses no other in its place. */
  const follow = (): void => {
    const [wanted, at] = [runInAddress(), named()];
    read(wanted !== null);
    if (wanted !== null && at === undefined) stranger(wanted);
    else if (at !== undefined && at !== tree.selected) tree.go(at);
    else if (at === undefined && tree.selected < 0) tree.go(worst);
  };
  const stranger = (id: string): void => {
    clearTimeout(timer);
    [latest, drawn] = [-1, [-1, null]];
    tree.deselect();
    right.replaceChildren(unknown(id, leave));
  };
  if (rows.length > 0) {
    follow();
    window.addEventListener("popstate", follow);
  } else right.replaceChildren(h("p", {}, "This archive holds no run."));

  started = true;

  above.search.addEventListener("keydown", (event) => {
    if (!["Enter", "ArrowDown", "Escape"].includes(event.key) || event.isComposing) return; // an input method's own keys
    tree.element.focus();
    event.stopPropagation();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    if (event.key === "/") {
      event.preventDefault();
      above.search.focus();
    } else if (event.key === "?") keys.showModal();
    else if (event.key === "Escape" && !keys.open) tree.element.focus();
    else if (event.key === "n" && head.counts[0] > 0) next();
  });
  function redraw(): void {
    if (drawn[0] >= 0) render(...drawn); // at once: paper does not wait
    if (!kept) return;
    fill(beside, ...kept, { label: "close", title: "Only the chosen run", click: () => keep(null) });
    for (const region of beside.querySelectorAll(".scroll")) // two regions of one name are no landmarks
      region.setAttribute("aria-label", `${region.getAttribute("aria-label")} of the kept run`);
  }
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
    list.replaceChildren(...runs(rows));
    findings.replaceChildren(...proof(head, rows));
  });
  window.addEventListener("afterprint", () => {
    setPrinting(false);
    list.replaceChildren();
    findings.replaceChildren();
    redraw();
  });
  document.documentElement.dataset.ready = "yes";
}

const section = (one: HTMLElement | null): HTMLElement[] => (one ? [one] : []);

function leftOut(head: Head): HTMLElement {
  return h(
    "p",
    { class: "note" },
    `The detail of this run is not in this file: ${counted(head.left_out, "run")} did not fit. report --shards writes a folder that holds everything.`,
  );
}

function unknown(id: string, leave: () => void): HTMLElement {
  return h(
    "header",
    { class: "run-title" },
    h("button", { type: "button", class: "quiet back", click: leave }, "‹ all runs"),
    h("h2", {}, "No such run here"),
    h("p", {}, "The address names the run ", h("code", {}, clean(id)), ", which this report does not hold: the link may be of another report, or of one made later. The list has every run that is here."),
  );
}

function failed(place: HTMLElement, problem: unknown): void {
  place.replaceChildren(h("p", { class: "note bad", role: "alert" }, `This could not be shown: ${problem instanceof Error ? problem.message : problem}`));
}

start().catch((problem) => failed(document.getElementById("page")!, problem));
