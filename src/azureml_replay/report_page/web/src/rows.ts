// The tree as arrays: which rows are visible under a filter and the folds, without a DOM.
import type { Index } from "./types";

export interface Filter {
  text: string;
  verdicts: Set<number>;
  status: number;
  kind: number;
  experiment: number;
}

export const NO_FILTER: Filter = { text: "", verdicts: new Set(), status: -1, kind: -1, experiment: -1 };

export class Rows {
  readonly length: number;
  readonly level: Int32Array;
  /** One past the last row of each family: parents stand right before their children. */
  readonly end: Int32Array;
  /** Of a run and all below it. */
  readonly findings: Int32Array;
  readonly omissions: Int32Array;
  readonly quiet: Int32Array;
  readonly accepted: Int32Array;
  /** Runs that differ: itself, and all below it. */
  readonly differing: Int32Array;
  /** The rows as they are listed: parents before their children, families together. */
  private order: Int32Array;
  readonly folded: Uint8Array;
  readonly place = new Map<string, number>();
  private readonly haystack: string[];

  constructor(readonly index: Index) {
    const length = (this.length = index.id.length);
    this.level = new Int32Array(length);
    this.end = new Int32Array(length);
    this.findings = Int32Array.from(index.findings);
    this.omissions = Int32Array.from(index.omissions);
    this.quiet = Int32Array.from(index.quiet);
    this.accepted = Int32Array.from(index.accepted);
    this.differing = Int32Array.from(index.verdict, (verdict) => (verdict === 0 ? 1 : 0));
    this.order = Int32Array.from({ length }, (_, at) => at);
    this.folded = new Uint8Array(length).fill(1);
    this.haystack = index.id.map((id, at) => `${index.name[at]}\n${id}`.toLowerCase());
    for (let at = 0; at < length; at++) {
      this.level[at] = index.parent[at] < 0 ? 0 : this.level[index.parent[at]] + 1;
      this.end[at] = at + 1;
      this.place.set(index.id[at], at);
    }
    for (let at = length - 1; at >= 0; at--) {
      const parent = index.parent[at];
      if (parent < 0) continue;
      this.end[parent] = Math.max(this.end[parent], this.end[at]);
      this.findings[parent] += this.findings[at];
      this.omissions[parent] += this.omissions[at];
      this.quiet[parent] += this.quiet[at];
      this.accepted[parent] += this.accepted[at];
      this.differing[parent] += this.differing[at];
    }
  }

  name(at: number): string {
    return this.index.name[at] || this.index.id[at];
  }

  /** Runs below one that differ, without itself. */
  differingBelow(at: number): number {
    return this.differing[at] - (this.index.verdict[at] === 0 ? 1 : 0);
  }

  /** The first run that differs in a family. */
  firstDiffering(at: number): number {
    return this.index.verdict.indexOf(0, at + 1);
  }

  /** Siblings in another order; without `compare` as the file has them, the worst first. */
  sort(compare: ((a: number, b: number) => number) | null): void {
    const all = Array.from({ length: this.length }, (_, at) => at);
    if (compare) all.sort(compare);
    const children = new Map<number, number[]>();
    for (const at of all) {
      const siblings = children.get(this.index.parent[at]);
      if (siblings) siblings.push(at);
      else children.set(this.index.parent[at], [at]);
    }
    const waiting = (children.get(-1) ?? []).reverse();
    for (let place = 0; waiting.length > 0; place++) {
      const at = (this.order[place] = waiting.pop() as number);
      const below = children.get(at);
      if (below) for (let last = below.length - 1; last >= 0; last--) waiting.push(below[last]);
    }
  }

  /** True where the text that was searched for is in the id, and not in the name that is shown. */
  foundById(at: number, text: string): boolean {
    const { name, id } = this.index;
    return text !== "" && name[at] !== "" && !name[at].toLowerCase().includes(text) && id[at].toLowerCase().includes(text);
  }

  isParent(at: number): boolean {
    return this.end[at] > at + 1;
  }

  unfoldTo(at: number): void {
    for (let above = this.index.parent[at]; above >= 0; above = this.index.parent[above]) this.folded[above] = 0;
  }

  matches(at: number, filter: Filter): boolean {
    const { index } = this;
    return (
      (filter.verdicts.size === 0 || filter.verdicts.has(index.verdict[at])) &&
      (filter.status < 0 || index.status[at] === filter.status) &&
      (filter.kind < 0 || index.kind[at] === filter.kind) &&
      (filter.experiment < 0 || index.experiment[at] === filter.experiment) &&
      (filter.text === "" || this.haystack[at].includes(filter.text))
    );
  }

  /** Rows to show, and how many of them match: what matches brings its ancestors along, unfolded. */
  visible(filter: Filter): { shown: number[]; matching: number } {
    return isEmpty(filter) ? this.unfolded() : this.found(filter);
  }

  private unfolded(): { shown: number[]; matching: number } {
    const shown: number[] = [];
    for (let place = 0; place < this.length; ) {
      const at = this.order[place];
      shown.push(at);
      place += this.folded[at] ? this.end[at] - at : 1;
    }
    return { shown, matching: this.length };
  }

  private found(filter: Filter): { shown: number[]; matching: number } {
    const keep = new Uint8Array(this.length);
    let matching = 0;
    for (let at = 0; at < this.length; at++) {
      if (!this.matches(at, filter)) continue;
      matching++;
      for (let above = at; above >= 0 && !keep[above]; above = this.index.parent[above]) keep[above] = 1;
    }
    const shown: number[] = [];
    for (const at of this.order) if (keep[at]) shown.push(at);
    return { shown, matching };
  }
}

export function isEmpty(filter: Filter): boolean {
  return (
    filter.text === "" &&
    filter.verdicts.size === 0 &&
    filter.status < 0 &&
    filter.kind < 0 &&
    filter.experiment < 0
  );
}
