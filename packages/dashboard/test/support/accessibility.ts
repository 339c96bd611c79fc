import type { Page } from "playwright-core";

/** What keeps a page from people who use a keyboard, a screen reader, or weak eyes; nothing for a good page. */
export function findBarriers(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const visible = (element: Element): boolean => element.checkVisibility({ visibilityProperty: true });
    const describe = (element: Element): string =>
      `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}">${element.textContent?.trim().slice(0, 40)}`;
    const nameOf = (element: Element): string => {
      const labelled = element.getAttribute("aria-labelledby");
      if (labelled) return document.getElementById(labelled)?.textContent?.trim() ?? "";
      const labels = "labels" in element ? [...(element.labels as NodeListOf<HTMLLabelElement>)] : [];
      return (
        element.getAttribute("aria-label")?.trim() ||
        labels.map((label) => label.textContent?.trim()).join(" ") ||
        element.textContent?.trim() ||
        ""
      );
    };
    const all = [...document.body.querySelectorAll("*")].filter(visible);
    const barriers: string[] = [];

    for (const element of all) {
      const isControl = element.matches(
        "input, select, textarea, button, a[href], [role=treeitem], [role=img], meter",
      );
      if (isControl && nameOf(element) === "") barriers.push(`no name: ${describe(element)}`);
      if (element.matches("dialog, nav, [role=tree], fieldset, aside") && nameOf(element) === "")
        barriers.push(`no name: ${describe(element)}`);
      if (element.matches("[tabindex]") && Number(element.getAttribute("tabindex")) > 0)
        barriers.push(`a tabindex above 0: ${describe(element)}`);
      for (const attribute of ["aria-labelledby", "aria-activedescendant", "for"]) {
        const id = element.getAttribute(attribute);
        if (id !== null && !document.getElementById(id))
          barriers.push(`${attribute} names nothing: ${describe(element)}`);
      }
      const outer = element.parentElement?.closest("a[href], button, [role=option], [role=img]");
      if (isControl && outer) barriers.push(`a control inside of another one: ${describe(element)}`);
      const { overflowX, overflowY } = getComputedStyle(element);
      const scrolls = [
        /auto|scroll/.test(overflowX) && element.scrollWidth > element.clientWidth,
        /auto|scroll/.test(overflowY) && element.scrollHeight > element.clientHeight,
      ].some(Boolean);
      const isReached =
        element.matches("[tabindex], textarea") || element.querySelector("a[href], button, input");
      if (scrolls && !isReached) barriers.push(`scrolls out of the keyboard's reach: ${describe(element)}`);
    }
    const levels = all.filter((one) => one.matches("h1, h2, h3, h4")).map((one) => Number(one.tagName[1]));
    for (const [at, level] of levels.entries()) {
      const last = levels[at - 1] ?? 0;
      if (level > last + 1) barriers.push(`a heading of level ${level} after one of level ${last}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    for (const id of new Set(ids))
      if (ids.indexOf(id) !== ids.lastIndexOf(id)) barriers.push(`the id ${id} twice`);
    if (document.querySelectorAll("h1").length !== 1) barriers.push("not exactly one h1");
    if (document.querySelectorAll("main").length !== 1) barriers.push("not exactly one main");
    if (document.documentElement.lang === "") barriers.push("no language");

    // Contrast: each colour is drawn, so that the browser resolves it.
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (color: string): number[] => {
      if (!context) return [0, 0, 0, 0];
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
      return [...context.getImageData(0, 0, 1, 1).data].map((part, at) => (at === 3 ? part / 255 : part));
    };
    const over = (top: number[], below: number[]): number[] => {
      const [, , , alpha = 1] = top;
      return [0, 1, 2].map((at) => (top[at] ?? 0) * alpha + (below[at] ?? 0) * (1 - alpha)).concat(1);
    };
    const backgroundOf = (element: Element | null): number[] => {
      if (!element) return rgba("Canvas");
      const own = rgba(getComputedStyle(element).backgroundColor);
      return own[3] === 1 ? own : over(own, backgroundOf(element.parentElement));
    };
    const luminance = (color: number[]): number => {
      const [r = 0, g = 0, b = 0] = color.map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    for (const element of all) {
      const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
      if (!hasText || element.closest(":disabled, .hidden, .skip, [aria-hidden=true], option")) continue;
      const style = getComputedStyle(element);
      const background = backgroundOf(element);
      const [bright, dark] = [luminance(over(rgba(style.color), background)), luminance(background)].sort(
        (one, other) => other - one,
      );
      const ratio = ((bright ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
      const size = Number.parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (isLarge ? 3 : 4.5)) barriers.push(`contrast ${ratio.toFixed(2)}: ${describe(element)}`);
    }
    return [...new Set(barriers)];
  });
}
