// The columns of the list: what each shows, how it sorts, and which of them a width has room for.
import { h, type Child } from "./dom";
import type { Rows } from "./rows";
import { VERDICTS } from "./types";
import { count, moment, seconds } from "./words";

export interface Column {
  name: string;
  css: string;
  width: number;
  /** Of siblings; null comes last, whichever way. */
  key: (rows: Rows, at: number) => string | number | null;
  /** Sorted downwards at first. */
  down?: boolean;
  /** Whether any run has something to show. */
  used?: (rows: Rows) => boolean;
  cell: (rows: Rows, at: number, open: boolean) => Child[];
}

const RUN_WIDTH = 230; // the least for names, before another column is shown
const RUN_WIDTH_SMALL = 150; // on a phone, beside the verdict

const amount = (size: number): Child[] => [size ? count(size) : ""];
const any = (sizes: ArrayLike<number>): boolean => Array.prototype.some.call(sizes, (size: number) => size > 0);

function below(rows: Rows, at: number, open: boolean, all: Int32Array, own: number[]): Child {
  const size = all[at] - own[at];
  return !open && rows.isParent(at) && size > 0 && h("small", { title: "in runs below" }, ` ▾${count(size)}`);
}

function verdict(rows: Rows, at: number): Child[] {
  const { glyph, word, css } = VERDICTS[rows.index.verdict[at]];
  const differing = rows.differingBelow(at);
  const title = `${count(differing)} of the runs below ${differing === 1 ? "differs" : "differ"}`;
  return [h("span", { class: css }, `${glyph} ${word}`), differing > 0 && h("small", { class: "below bad", title }, ` ▾✕${count(differing)}`)];
}

/** Omissions that nobody asked for are marked; those by the user's choice are only counted. */
function omitted(rows: Rows, at: number, open: boolean): Child[] {
  const own = rows.index.omissions[at];
  const tone = (size: number, asked: number): string => (size > asked ? "part" : "muted");
  return [
    h("span", { class: tone(own, rows.index.quiet[at]) }, own ? count(own) : ""),
    h("span", { class: tone(rows.omissions[at], rows.quiet[at]) }, below(rows, at, open, rows.omissions, rows.index.omissions)),
  ];
}

const RUN: Column = { name: "Run", css: "c0", width: 0, key: (rows, at) => rows.name(at).toLowerCase(), cell: () => [] };

/** After the run's name, those first that are needed most. */
const OTHERS: Column[] = [
  { name: "Verdict", css: "c1", width: 138, key: ({ index }, at) => index.verdict[at], cell: verdict },
  {
    name: "Findings",
    css: "c2 bad",
    width: 78,
    down: true,
    key: (rows, at) => rows.findings[at],
    used: ({ findings }) => any(findings),
    cell: (rows, at, open) => [...amount(rows.index.findings[at]), below(rows, at, open, rows.findings, rows.index.findings)],
  },
  {
    name: "Accepted",
    css: "c10",
    width: 80,
    down: true,
    key: (rows, at) => rows.accepted[at],
    used: ({ accepted }) => any(accepted),
    cell: (rows, at, open) => [...amount(rows.index.accepted[at]), below(rows, at, open, rows.accepted, rows.index.accepted)],
  },
  {
    name: "Omitted",
    css: "c3",
    width: 76,
    down: true,
    key: (rows, at) => rows.omissions[at],
    used: ({ omissions }) => any(omissions),
    cell: omitted,
  },
  { name: "Status", css: "c4", width: 88, key: ({ index }, at) => index.statuses[index.status[at]], cell: ({ index }, at) => [index.statuses[index.status[at]]] },
  { name: "Took", css: "c7", width: 76, down: true, key: ({ index }, at) => index.seconds[at], cell: ({ index }, at) => [seconds(index.seconds[at])] },
  { name: "Started (UTC)", css: "c6", width: 128, down: true, key: ({ index }, at) => index.start[at], cell: ({ index }, at) => [moment(index.start[at])] },
  {
    name: "Metrics",
    css: "c8",
    width: 70,
    down: true,
    key: ({ index }, at) => index.series[at],
    used: ({ index }) => any(index.series),
    cell: ({ index }, at) => amount(index.series[at]),
  },
  { name: "Type", css: "c5", width: 82, key: ({ index }, at) => index.kinds[index.kind[at]], cell: ({ index }, at) => [index.kinds[index.kind[at]]] },
  {
    name: "Files",
    css: "c9",
    width: 58,
    down: true,
    key: ({ index }, at) => index.files[at],
    used: ({ index }) => any(index.files),
    cell: ({ index }, at) => amount(index.files[at]),
  },
];
const PLACES = ["c0", "c1", "c2 bad", "c10", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];

/** The columns that some run needs. */
export const usedColumns = (rows: Rows): Column[] => OTHERS.filter((column) => !column.used || column.used(rows));

/** Those for which there is room, in their places. */
export function fitting(columns: Column[], width: number): Column[] {
  let left = width - (width < 480 ? RUN_WIDTH_SMALL : RUN_WIDTH);
  const found = [RUN];
  for (const column of columns) {
    left -= column.width;
    if (left < 0 && found.length > 1) break;
    found.push(column);
  }
  return found.sort((a, b) => PLACES.indexOf(a.css) - PLACES.indexOf(b.css));
}

export const template = (columns: Column[]): string =>
  columns.map(({ width }) => (width ? `${width}px` : "minmax(0, 1fr)")).join(" ");

export function comparing(rows: Rows, column: Column, down: boolean): (a: number, b: number) => number {
  return (a, b) => {
    const [left, right] = [column.key(rows, a), column.key(rows, b)];
    if (left === null || right === null) return left === right ? a - b : left === null ? 1 : -1;
    const order = left < right ? -1 : left > right ? 1 : 0;
    return (down ? -order : order) || a - b;
  };
}
