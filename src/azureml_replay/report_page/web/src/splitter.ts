// The bar between the list and the run: dragged, or moved with the arrow keys.
import { h } from "./dom";

const LEAST = 25;
const MOST = 75;
const STEP = 3; // percent for a key

export function splitter(main: HTMLElement, moved: () => void): HTMLElement {
  const bar: HTMLElement = h("div", {
    class: "splitter",
    role: "separator",
    tabindex: 0,
    "aria-orientation": "vertical",
    "aria-label": "Width of the list",
    "aria-valuemin": LEAST,
    "aria-valuemax": MOST,
    "aria-valuenow": 57,
    pointerdown: (event) => bar.setPointerCapture((event as PointerEvent).pointerId),
    pointermove: (event) => {
      const { pointerId, clientX } = event as PointerEvent;
      if (bar.hasPointerCapture(pointerId)) set((100 * (clientX - main.offsetLeft)) / main.offsetWidth);
    },
    pointerup: moved,
    keydown: (event) => {
      const step = { ArrowLeft: -STEP, ArrowRight: STEP }[(event as KeyboardEvent).key];
      if (!step) return;
      event.preventDefault();
      set(Number(bar.getAttribute("aria-valuenow")) + step);
      moved();
    },
  });
  const set = (percent: number): void => {
    const kept = Math.round(Math.min(MOST, Math.max(LEAST, percent)));
    bar.setAttribute("aria-valuenow", String(kept));
    main.style.setProperty("--split", `${kept}%`);
  };
  return bar;
}
