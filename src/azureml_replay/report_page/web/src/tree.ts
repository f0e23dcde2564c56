// The tree on the screen: a treegrid that draws the rows in view, and a keyboard for it.
import { comparing, fitting, template, usedColumns, type Column } from "./columns";
import { clean, h } from "./dom";
import { isEmpty, NO_FILTER, type Filter, type Rows } from "./rows";

const HEIGHT = 26; // as in style.css
const SPARE = 12; // rows drawn beyond each edge: a wheel's turn

const NONE: [number, number] = [-1, -1];

export class Tree {
  readonly element: HTMLElement;
  selected = -1;
  private readonly rows: Rows;
  private readonly body: HTMLElement;
  private readonly heading: HTMLElement;
  private readonly used: Column[];
  private columns: Column[] = [];
  private sorted: { name: string; down: boolean } | null = null;
  private filter: Filter = NO_FILTER;
  private shown: number[] = [];
  /** The rows that are drawn: first, and one past the last; none once they no longer hold. */
  private drawn: [number, number] = NONE;

  constructor(
    rows: Rows,
    private readonly opened: (at: number) => void,
    /** A click or Enter: the reader wants to see the run that is open. */
    private readonly entered: (at: number) => void,
    private readonly told: (matching: number, total: number) => void,
  ) {
    this.rows = rows;
    this.used = usedColumns(rows);
    this.heading = h("div", { role: "row", class: "row heading", "aria-rowindex": 1 });
    this.body = h("div", { role: "rowgroup", class: "rows" });
    this.element = h(
      "div",
      {
        class: "tree",
        role: "treegrid",
        tabindex: 0,
        "aria-label": "Runs",
        "aria-readonly": "true",
        keydown: (event) => this.key(event as KeyboardEvent),
        click: (event) => this.click(event),
      },
      h("div", { role: "rowgroup", class: "headings" }, this.heading),
      this.body,
    );
    this.element.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.fit()).observe(this.element);
    this.fit();
  }

  /** The columns for which there is room now. */
  private fit(): void {
    const columns = fitting(this.used, this.element.clientWidth);
    if (columns.length !== this.columns.length) {
      this.columns = columns;
      this.element.style.setProperty("--columns", template(columns));
      this.drawHeading();
      this.drawn = NONE;
    }
    this.draw();
  }

  private drawHeading(): void {
    this.heading.replaceChildren(
      ...this.columns.map((column) => {
        const sorted = this.sorted?.name === column.name ? this.sorted : null;
        const arrow = sorted ? (sorted.down ? " ↓" : " ↑") : "";
        return h(
          "span",
          { role: "columnheader", class: column.css.split(" ")[0], "aria-sort": sorted ? (sorted.down ? "descending" : "ascending") : "none" },
          h("button", { type: "button", title: `Sort by ${column.name}`, "data-column": column.name, click: () => this.sort(column) }, column.name + arrow),
        );
      }),
    );
  }

  /** One way, the other way, then the worst first again. */
  private sort(column: Column): void {
    const before = this.sorted?.name === column.name ? this.sorted : null;
    const first = !!column.down;
    this.sorted = !before ? { name: column.name, down: first } : before.down === first ? { name: column.name, down: !first } : null;
    this.rows.sort(this.sorted && comparing(this.rows, column, this.sorted.down));
    this.drawHeading();
    this.heading.querySelector<HTMLElement>(`[data-column="${column.name}"]`)?.focus();
    this.show(this.filter);
  }

  show(filter: Filter): void {
    this.filter = filter;
    this.arrange();
    this.element.scrollTop = 0;
    this.draw();
  }

  foldAll(folded: boolean): void {
    this.rows.folded.fill(folded ? 1 : 0);
    this.arrange();
    this.draw();
  }

  /** Unfolds what hides it, scrolls to it, opens it. */
  go(at: number): void {
    this.rows.unfoldTo(at);
    this.arrange();
    this.select(at);
  }

  /** No run is chosen. */
  deselect(): void {
    this.selected = -1;
    this.drawn = NONE;
    this.draw();
  }

  private arrange(): void {
    const { shown, matching } = this.rows.visible(this.filter);
    this.shown = shown;
    this.drawn = NONE;
    this.body.style.height = `${shown.length * HEIGHT}px`;
    this.element.setAttribute("aria-rowcount", String(shown.length + 1));
    this.told(matching, this.rows.length);
  }

  private select(at: number): void {
    this.selected = at;
    const row = this.shown.indexOf(at);
    const top = row * HEIGHT;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + 2 * HEIGHT > scrollTop + clientHeight) this.element.scrollTop = top + 2 * HEIGHT - clientHeight;
    this.drawn = NONE;
    this.draw();
    this.opened(at);
  }

  private draw(): void {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / HEIGHT) - SPARE);
    const last = Math.min(this.shown.length, Math.ceil((scrollTop + clientHeight) / HEIGHT) + SPARE);
    const [from, to] = this.drawn;
    if (first === from && last === to) return;
    if (from === to || first >= to || last <= from) this.body.replaceChildren(...this.lines(first, last));
    else {
      for (let row = from; row < Math.min(first, to); row++) this.body.firstElementChild!.remove();
      for (let row = to; row > Math.max(last, from); row--) this.body.lastElementChild!.remove();
      this.body.prepend(...this.lines(first, from));
      this.body.append(...this.lines(to, last));
    }
    this.drawn = [first, last];
    const active = this.shown.includes(this.selected) ? `run${this.selected}` : "";
    if (active && document.getElementById(active)) this.element.setAttribute("aria-activedescendant", active);
    else this.element.removeAttribute("aria-activedescendant");
  }

  private lines(first: number, last: number): HTMLElement[] {
    return Array.from({ length: Math.max(0, last - first) }, (_, at) => this.line(first + at));
  }

  private line(row: number): HTMLElement {
    const at = this.shown[row];
    const { index } = this.rows;
    const status = index.statuses[index.status[at]];
    const parent = this.rows.isParent(at);
    const open = parent && this.isOpen(at);
    const name = clean(this.rows.name(at));
    const dim = !isEmpty(this.filter) && !this.rows.matches(at, this.filter);
    const line = h(
      "div",
      {
        role: "row",
        id: `run${at}`,
        class: `row${dim ? " dim" : ""}`,
        "data-row": row,
        "aria-rowindex": row + 2,
        "aria-level": this.rows.level[at] + 1,
        "aria-selected": at === this.selected ? "true" : "false",
        "aria-expanded": parent ? String(open) : undefined,
      },
      h(
        "span",
        { role: "gridcell", class: "c0", title: `${name}\n${clean(index.id[at])}\n${clean(index.experiments[index.experiment[at]])}` },
        h("span", { class: "fold", "aria-hidden": "true" }, parent ? (open ? "▾" : "▸") : ""),
        h("bdi", {}, name),
        this.rows.foundById(at, this.filter.text) && h("small", { class: "id" }, ` ${index.id[at]}`),
      ),
      ...this.columns
        .slice(1)
        .map(({ css, cell }) =>
          h("span", { role: "gridcell", class: css + (css === "c4" && status === "Failed" ? " failed" : "") }, ...cell(this.rows, at, open)),
        ),
    );
    line.style.top = `${row * HEIGHT}px`;
    (line.firstElementChild as HTMLElement).style.paddingInlineStart = `${8 + 16 * Math.min(this.rows.level[at], 12)}px`;
    return line;
  }

  private isOpen(at: number): boolean {
    return !isEmpty(this.filter) || !this.rows.folded[at];
  }

  private fold(at: number, folded: boolean): void {
    this.rows.folded[at] = folded ? 1 : 0;
    this.arrange();
    this.draw();
  }

  private click(event: Event): void {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>("[data-row]");
    if (!row) return;
    const at = this.shown[Number(row.dataset.row)];
    if (target.classList.contains("fold") && this.rows.isParent(at)) this.fold(at, !this.rows.folded[at]);
    else {
      this.select(at);
      this.entered(at);
    }
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || this.shown.length === 0 || event.target instanceof HTMLButtonElement) return;
    const row = this.shown.indexOf(this.selected);
    const page = Math.max(1, Math.floor(this.element.clientHeight / HEIGHT) - 2);
    const moves: Record<string, number> = {
      ArrowDown: row + 1,
      ArrowUp: Math.max(0, row - 1),
      PageDown: row + page,
      PageUp: Math.max(0, row - page),
      Home: 0,
      End: this.shown.length - 1,
    };
    if (event.key in moves) this.select(this.shown[Math.min(this.shown.length - 1, moves[event.key])]);
    else if (event.key === "ArrowRight" && row >= 0) this.right(this.selected);
    else if (event.key === "ArrowLeft" && row >= 0) this.left(this.selected);
    else if (event.key === "Enter" && row >= 0) {
      this.entered(this.selected);
      document.getElementById("detail")?.focus();
    }
    else return;
    event.preventDefault();
  }

  private right(at: number): void {
    if (!this.rows.isParent(at)) return;
    if (this.isOpen(at)) this.select(this.shown[this.shown.indexOf(at) + 1]);
    else this.fold(at, false);
  }

  private left(at: number): void {
    if (this.rows.isParent(at) && isEmpty(this.filter) && !this.rows.folded[at]) this.fold(at, true);
    else if (this.rows.index.parent[at] >= 0) this.select(this.rows.index.parent[at]);
  }
}
