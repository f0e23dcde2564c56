// One metric as a figure: source and target over each other, and what one lies above the other in a strip of its own.
import uPlot from "uplot";
import { marks, points, type Block } from "./data";
import { clean, h, table } from "./dom";
import type { Curve } from "./types";
import { count, counted, moment, seconds, short, shortened } from "./words";

interface Palette {
  source: string;
  target: string;
  strip: string;
  fill: string;
  text: string;
  grid: string;
}

const LIGHT: Palette = { source: "#2563eb", target: "#c2410c", strip: "#b91c1c", fill: "#b91c1c22", text: "#475569", grid: "#e2e8f0" };
const DARK: Palette = { source: "#7cb0ff", target: "#ffa45c", strip: "#ff8a8a", fill: "#ff8a8a33", text: "#a8b3c4", grid: "#2c3542" };
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let printing = false;

export const onTheme = (redraw: () => void): void => dark.addEventListener("change", redraw);
export const setPrinting = (value: boolean): void => void (printing = value);
export const isPrinting = (): boolean => printing;
const palette = (): Palette => (dark.matches && !printing ? DARK : LIGHT);

const STATES: Record<Curve["state"], string> = {
  equal: "✓ identical in the target",
  differs: "✕ differs in the target",
  lost: "✕ differs; the target's rows were not kept",
  unverified: "○ not compared with a target",
};

let running = 0;
let logarithmic = false;

export const isLogarithmic = (): boolean => logarithmic;
export const setLogarithmic = (value: boolean): void => void (logarithmic = value);

/** A curve whose values are all above 0, and not all the same. */
export const canBeLogarithmic = ({ source, target }: Curve): boolean =>
  source.low > 0 && source.high > source.low && (!target || target.low > 0);

const scaledByLog = (curve: Curve): boolean => logarithmic && canBeLogarithmic(curve);

/** A figure that draws itself once it comes into view. */
export function figure(curve: Curve, from: Block): HTMLElement {
  const readout = h("span", { class: "readout", "aria-hidden": "true" }, resting(curve));
  const canvas = h("div", { class: "canvas", role: "img", "aria-label": clean(described(curve)) });
  const shown = h("div", { class: "points" });
  const button = h(
    "button",
    {
      type: "button",
      class: "quiet",
      "aria-expanded": "false",
      click: (event) => togglePoints(event.currentTarget as HTMLElement, shown, curve, from),
    },
    "points as a table",
  );
  const element = h(
    "figure",
    { class: `chart ${curve.state}`, "data-metric": curve.name },
    h("figcaption", {}, h("b", {}, curve.name), curve.target && legend(), h("span", { class: `state ${curve.state}` }, STATES[curve.state])),
    first(curve),
    readout,
    canvas,
    h("div", { class: "foot" }, h("span", {}, [thinned(curve), odd(curve, from), rounded(curve)].filter(Boolean).join("; ")), button),
    shown,
  );
  later(element, () => draw(canvas, readout, curve, from));
  return element;
}

const pending = new Map<Element, () => void>();
const watcher = new IntersectionObserver(
  (entries) => entries.forEach((entry) => entry.isIntersecting && drawNow(entry.target)),
  { rootMargin: "300px" },
);

function later(element: Element, work: () => void): void {
  pending.set(element, work);
  watcher.observe(element);
}

function drawNow(element: Element): void {
  watcher.unobserve(element);
  pending.get(element)?.();
  pending.delete(element);
}

/** Everything that waits to come into view, at once: before paper. */
export function drawAll(): void {
  [...pending.keys()].filter((element) => element.isConnected).forEach(drawNow);
}

/** The figures in there are gone. */
export function forget(place: HTMLElement): void {
  for (const element of [...pending.keys()].filter((one) => place.contains(one))) {
    watcher.unobserve(element);
    pending.delete(element);
  }
}

function legend(): HTMLElement {
  const key = (side: "source" | "target"): HTMLElement => {
    const stroke = h("i", { class: side });
    stroke.style.color = palette()[side];
    return h("span", {}, stroke, side);
  };
  return h("span", { class: "legend" }, key("source"), key("target"));
}

function first(curve: Curve): HTMLElement | null {
  if (!curve.first) return null;
  const [where, expected, actual] = curve.first;
  return h(
    "p",
    { class: "first" },
    `${counted(curve.differing, "row")} of ${count(curve.source.of)} ${curve.differing === 1 ? "differs" : "differ"}, the first at `,
    h("b", {}, where),
    ": source ",
    h("code", {}, expected || "no row"),
    ", target ",
    h("code", {}, actual || "no row"),
  );
}

function resting(curve: Curve): string {
  return `last ${shortened(curve.last)} · lowest ${shortened(curve.low)} · highest ${shortened(curve.high)}`;
}

function thinned(curve: Curve): string {
  const { n, of } = curve.source;
  return n < of ? `${count(n)} of ${count(of)} rows drawn, all extremes kept` : `${counted(of, "row")}`;
}

/** How many of the source's rows are no finite number, and how they are marked. */
function odd(curve: Curve, from: Block): string {
  const found = [...marks(curve.source, from).values()];
  const times = (word: string, text: string): string => {
    const size = found.filter((one) => one === word).length;
    return size > 0 ? `${count(size)} ${text}` : "";
  };
  return [times("NaN", "NaN (×)"), times("Infinity", "Infinity (▲)"), times("-Infinity", "-Infinity (▼)")].filter(Boolean).join(", ");
}

/** On a logarithmic axis the 12 bits of a drawn value are few near the bottom. */
function rounded(curve: Curve): string {
  const { low, high } = curve.source;
  if (logarithmic && !canBeLogarithmic(curve)) return "linear: not all values are above 0";
  return scaledByLog(curve) && high / low > 400 ? `values below ${short(high / 400)} are drawn in steps` : "";
}

function described(curve: Curve): string {
  const found = curve.first ? `, first at ${curve.first[0]}: source ${curve.first[1]}, target ${curve.first[2]}` : "";
  return `Curve of ${curve.name}: ${resting(curve)}; ${STATES[curve.state].slice(2)}${found}`;
}

function aligned(curve: Curve, from: Block): uPlot.AlignedData {
  const source = points(curve.source, from) as uPlot.AlignedData;
  if (!curve.target) return source;
  // 1 keeps a null that was there, a gap; what joining adds is undefined, and drawn over.
  return uPlot.join([source, points(curve.target, from) as uPlot.AlignedData], [[1, 1], [1, 1]]);
}

function draw(canvas: HTMLElement, readout: HTMLElement, curve: Curve, from: Block): void {
  const colours = palette();
  const sync = `run${running++}`;
  const width = Math.max(220, canvas.clientWidth);
  const data = aligned(curve, from);
  const dots = data[0].length <= 40;
  const series: uPlot.Series[] = [
    {},
    { stroke: colours.source, width: 1.5, points: { show: dots, size: 5, fill: colours.source } },
  ];
  if (curve.target) series.push({ stroke: colours.target, width: 1.5, dash: [6, 3], points: { show: dots, size: 4, fill: colours.target } });
  const oddities = [marks(curve.source, from), ...(curve.target ? [marks(curve.target, from)] : [])];
  const tell = (chart: uPlot): void => void (readout.textContent = told(chart, curve, oddities) ?? clean(resting(curve)));
  const mark = (chart: uPlot): void => oddities.forEach((one, at) => drawMarks(chart, one, at === 0 ? colours.source : colours.target));
  const upper = options(width, curve.difference ? 170 : 184, curve, series, sync, { setCursor: [tell], draw: [mark] }, !curve.difference);
  if (scaledByLog(curve)) upper.scales!.y = { distr: 3 };
  else if (data.slice(1).every((side) => !Array.prototype.some.call(side, Number.isFinite))) upper.scales!.y = { range: [0, 1] };
  new uPlot(upper, data, canvas);
  if (!curve.difference) return;
  const strip: uPlot.Series[] = [
    {},
    { stroke: colours.strip, width: 1.5, fill: colours.fill, points: { show: false } },
  ];
  const gap = points(curve.difference, from) as uPlot.AlignedData;
  canvas.append(h("div", { class: "strip-title" }, "target − source"));
  const below = options(width, 96, curve, strip, sync, {}, true);
  below.scales!.y = { range: (_, low, high) => padded(Math.min(0, low), Math.max(0, high)) };
  const [xs] = data;
  below.scales!.x = { time: false, range: [xs[0], xs[xs.length - 1]] };
  new uPlot(below, gap, canvas);
}

/** Infinities at the edges, NaN at the bottom: a gap alone does not say that something was logged. */
function drawMarks(chart: uPlot, oddities: Map<number, string>, colour: string): void {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colour;
  ctx.font = `bold ${12 * scale}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (const [x, word] of oddities) {
    const top = word === "Infinity";
    ctx.textBaseline = top ? "top" : "bottom";
    ctx.fillText(top ? "▲" : word === "NaN" ? "×" : "▼", chart.valToPos(x, "x", true), top ? bbox.top : bbox.top + bbox.height);
  }
  ctx.restore();
}

/** There is no step between two steps. */
const whole = (x: number): string => (Number.isInteger(x) ? String(x) : "");

/** What the x axis measures. */
function measured(curve: Curve): string {
  if (curve.axis !== "time") return curve.axis === "row" ? "row, in the order logged" : "step";
  return curve.zero === null ? "time" : `time since ${moment(curve.zero)} UTC, the first row`;
}

function padded(low: number, high: number): [number, number] {
  const pad = (high - low) * 0.1 || 1;
  return [low < 0 ? low - pad : low, high > 0 ? high + pad : high];
}

function options(
  width: number,
  height: number,
  curve: Curve,
  series: uPlot.Series[],
  sync: string,
  hooks: uPlot.Hooks.Arrays,
  labelled: boolean,
): uPlot.Options {
  const colours = palette();
  const axis = {
    stroke: colours.text,
    font: "11px system-ui, sans-serif",
    grid: { stroke: colours.grid, width: 1 },
    ticks: { stroke: colours.grid, width: 1, size: 4 },
  };
  return {
    width,
    height,
    series,
    hooks,
    legend: { show: false },
    cursor: { sync: { key: sync, scales: ["x", null] }, y: false, points: { size: 6 } },
    scales: { x: { time: false } },
    axes: [
      {
        ...axis,
        size: labelled ? 26 : 8,
        gap: 2,
        ...(labelled ? { label: measured(curve), labelFont: "11px system-ui, sans-serif", labelSize: 15, labelGap: 0 } : {}),
        values: (_, at) => (labelled ? at.map((x) => (curve.axis === "time" ? seconds(x / 1000) : whole(x))) : at.map(() => "")),
      },
      { ...axis, size: 58, gap: 3, space: height < 120 ? 22 : 34, values: (_, at) => at.map((y) => (y === null ? "" : short(y))) },
    ],
  };
}

function told(chart: uPlot, curve: Curve, oddities: Map<number, string>[]): string | null {
  const at = chart.cursor.idx;
  if (at === null || at === undefined) return null;
  const x = chart.data[0][at];
  const where = curve.axis === "time" ? `after ${seconds(x / 1000)}` : `${curve.axis} ${count(x)}`;
  const side = curve.state === "equal" ? "source = target" : "source";
  const value = (which: number): string => oddities[which]?.get(x) ?? short(chart.data[which + 1]?.[at]);
  return `${where} · ${side} ${value(0)}${curve.target ? ` · target ${value(1)}` : ""}`;
}

function togglePoints(button: HTMLElement, place: HTMLElement, curve: Curve, from: Block): void {
  const open = place.childElementCount === 0;
  button.setAttribute("aria-expanded", String(open));
  if (!open) return place.replaceChildren();
  const data = aligned(curve, from);
  const heads = [curve.axis, "source", ...(curve.target ? ["target"] : [])];
  const oddities = [curve.source, curve.target].map((line) => line && marks(line, from));
  const rows = Array.from(data[0], (x, at) => [count(x), ...data.slice(1).map((side, which) => oddities[which]?.get(x) ?? short(side[at]))]);
  place.replaceChildren(
    h("p", { class: "note" }, "As drawn: rounded to 12 bits. The comparison was made with every row and every bit."),
    table(`Points of ${curve.name}`, heads, rows, "numbers"),
  );
}

/** How many requests at a time the services bore, over time. */
export function widths(canvas: HTMLElement, named: [string, [number, number][]][]): void {
  const colours = palette();
  const strokes = [colours.source, colours.target, colours.strip, "#0d9488", "#9333ea", "#a16207"];
  const last = Math.max(1000, ...named.map(([, changes]) => changes[changes.length - 1]?.[0] ?? 0));
  const tables = named.map(([, changes]) => {
    const ends = [...changes, [last, changes[changes.length - 1]?.[1] ?? 0]];
    return [ends.map(([at]) => at / 1000), ends.map(([, width]) => width)] as uPlot.AlignedData;
  });
  const axis = { stroke: colours.text, font: "11px system-ui, sans-serif", grid: { stroke: colours.grid, width: 1 } };
  new uPlot(
    {
      width: Math.max(260, canvas.clientWidth),
      height: 150,
      legend: { show: false },
      scales: { x: { time: false }, y: { range: (_, __, high) => [0, high + 1] } },
      series: [{}, ...named.map(([, ], at) => ({ stroke: strokes[at % strokes.length], width: 1.5, paths: uPlot.paths.stepped!({ align: 1 }), points: { show: false } }))],
      axes: [
        { ...axis, size: 30, values: (_, at) => at.map((x) => seconds(x)) },
        { ...axis, size: 36, incrs: [1, 2, 4, 8, 16, 32, 64] },
      ],
    },
    uPlot.join(tables),
    canvas,
  );
}

export const strokeOf = (at: number): string => {
  const colours = palette();
  return [colours.source, colours.target, colours.strip, "#0d9488", "#9333ea", "#a16207"][at % 6];
};
