// Elements from values. Everything from a workspace passes `clean` and becomes text, never markup.
export type Child = Node | string | number | null | undefined | false;

/** Control characters, bidirectional marks, half surrogates: shown as what they are. Joiners stay: emoji need them. */
const MARKS = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

export function clean(text: string): string {
  return text.replace(MARKS, (mark) => `⟨U+${mark.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | boolean | undefined | ((event: Event) => void)> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child instanceof Node) element.append(child);
    else if (child !== null && child !== undefined && child !== false) element.append(clean(String(child)));
  }
  return element;
}

/** A link, where the address is one of https; else its text. */
export function link(address: string, text: string): HTMLElement {
  if (!/^https?:\/\//.test(address)) return h("span", {}, text);
  return h("a", { href: address, target: "_blank", rel: "noreferrer noopener" }, text);
}

/** Copies a text as it is, marks and all. */
export function copy(text: string, what: string, label = "copy"): HTMLElement {
  const button = h("button", {
    type: "button",
    class: "quiet copy",
    title: `Copy ${what}`,
    "data-label": label,
    "aria-label": `Copy ${what}`,
    click: async () => {
      await toClipboard(text);
      button.dataset.done = "yes";
      window.setTimeout(() => delete button.dataset.done, 1500);
    },
  });
  return button;
}

async function toClipboard(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", {}); // pages from disk may not use the clipboard in every browser
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** A table with a caption for screen readers. */
export function table(caption: string, headings: string[], rows: Child[][], css = ""): HTMLElement {
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      { class: css },
      h("thead", {}, h("tr", {}, ...headings.map((heading) => h("th", { scope: "col" }, heading)))),
      h("tbody", {}, ...rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell))))),
    ),
  );
}
