import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** Lets the keyboard reach an element while its content is larger than it, so that the arrow keys scroll it. */
export function useKeyboardScroll<Scrolled extends HTMLElement>(): RefObject<Scrolled> {
  const ref = useRef<Scrolled>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const measure = (): void => {
      const { scrollWidth, clientWidth, scrollHeight, clientHeight } = element;
      if (scrollWidth > clientWidth || scrollHeight > clientHeight) element.tabIndex = 0;
      else element.removeAttribute("tabindex");
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    for (const child of element.children) observer.observe(child);
    measure();
    return () => observer.disconnect();
  });
  return ref;
}
